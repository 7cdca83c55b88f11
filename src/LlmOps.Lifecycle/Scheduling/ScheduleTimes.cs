using Cronos;

namespace LlmOps.Lifecycle.Scheduling;

/// <param name="Latest">The newest due time that has come.</param>
/// <param name="Missed">Due times before it that nothing was started for.</param>
public sealed record DueTimes(DateTimeOffset Latest, int Missed);

/// <summary>
/// When a cron expression comes, in its time zone. Pure. Where the clock jumps forward, a fixed time inside the gap comes at the first
/// moment after it, and times of an interval ("every ten minutes") inside it do not come; where it jumps back, a fixed time comes once,
/// and an interval goes on through both passes.
/// </summary>
public static class ScheduleTimes
{
    /// <summary>A schedule of every minute that was off for months: beyond this many the count says no more.</summary>
    private const int MostCounted = 100_000;

    public static DateTimeOffset? NextAfter(string cron, string timeZone, DateTimeOffset from) => Parse(cron).GetNextOccurrence(from, Zone(timeZone));

    /// <summary>The next times a cron expression names, in its time zone; throws what is wrong with either.</summary>
    public static IReadOnlyList<DateTimeOffset> Upcoming(string cron, string timeZone, DateTimeOffset from, int count)
    {
        var (expression, zone) = (Parse(cron), Zone(timeZone));
        var times = new List<DateTimeOffset>();
        for (var at = expression.GetNextOccurrence(from, zone); at is { } next && times.Count < count; at = expression.GetNextOccurrence(next, zone))
            times.Add(next);
        return times;
    }

    /// <summary>What came after <paramref name="after"/> and up to now, or null when nothing did.</summary>
    public static DueTimes? Due(string cron, string timeZone, DateTimeOffset after, DateTimeOffset now)
    {
        var (expression, zone) = (Parse(cron), Zone(timeZone));
        DateTimeOffset? latest = null;
        var count = 0;
        for (var at = expression.GetNextOccurrence(after, zone); at is { } next && next <= now && count < MostCounted; at = expression.GetNextOccurrence(next, zone))
            (latest, count) = (next, count + 1);
        return latest is { } due ? new(due.ToUniversalTime(), count - 1) : null;
    }

    private static CronExpression Parse(string cron)
    {
        try
        {
            return CronExpression.Parse(cron);
        }
        catch (CronFormatException e)
        {
            throw LlmOpsException.Invalid($"'{cron}' is no cron expression: {e.Message} Write minute hour day month weekday, for example '0 3 * * *'.");
        }
    }

    private static TimeZoneInfo Zone(string timeZone)
    {
        try
        {
            return TimeZoneInfo.FindSystemTimeZoneById(timeZone);
        }
        catch (TimeZoneNotFoundException)
        {
            throw LlmOpsException.Invalid($"'{timeZone}' is no time zone. Use an IANA name, for example Europe/Berlin or UTC.");
        }
    }
}
