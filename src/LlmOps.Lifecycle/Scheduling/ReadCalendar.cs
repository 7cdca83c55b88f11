namespace LlmOps.Lifecycle.Scheduling;

/// <param name="Firing">Null for a time to come.</param>
/// <param name="Times">How often it comes from here to the end of the day; several are one entry.</param>
public sealed record CalendarEntry(DateTimeOffset At, string Schedule, FiringRow? Firing, int Times = 1);

public sealed record CalendarDay(DateOnly Date, IReadOnlyList<CalendarEntry> Entries);

/// <summary>What happened by the clock and what will, day by day in one time zone.</summary>
public sealed class ReadCalendar(ReadSchedules schedules, TimeProvider time)
{
    /// <summary>A schedule of every minute has 1,440 times in a day: they are counted, not listed.</summary>
    private const int MostListed = 4;

    public async Task<IReadOnlyList<CalendarDay>> ReadAsync(DateOnly first, DateOnly last, TimeZoneInfo zone, CancellationToken ct = default)
    {
        if (last.DayNumber - first.DayNumber is < 0 or > 62)
            throw LlmOpsException.Invalid("A calendar shows one to 63 days. Choose a shorter range.");
        var now = time.GetUtcNow();
        var (from, to) = (Start(first, zone), Start(last.AddDays(1), zone));
        var past = (await schedules.FiringsAsync(null, from, to, 5000, ct)).Select(f => new CalendarEntry(f.DueAt, f.Schedule, f));
        var future = new List<CalendarEntry>();
        foreach (var schedule in (await schedules.ListAsync(null, ct)).Where(s => s.Enabled))
            for (var day = first; day <= last; day = day.AddDays(1))
                if (Start(day.AddDays(1), zone) > now)
                    future.AddRange(Times(schedule, Max(Start(day, zone), now), Start(day.AddDays(1), zone)));
        var entries = past.Concat(future).OrderBy(e => e.At).ToLookup(e => DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(e.At, zone).DateTime));
        return [.. Enumerable.Range(0, last.DayNumber - first.DayNumber + 1).Select(first.AddDays).Select(d => new CalendarDay(d, [.. entries[d]]))];
    }

    private static List<CalendarEntry> Times(ScheduleRow schedule, DateTimeOffset from, DateTimeOffset to)
    {
        IReadOnlyList<DateTimeOffset> times;
        try
        {
            times = [.. ScheduleTimes.Upcoming(schedule.Cron, schedule.TimeZone, from.AddTicks(-1), 1441).TakeWhile(t => t < to)];
        }
        catch (LlmOpsException)
        {
            return []; // a time zone that this machine does not know: the list of schedules says so
        }
        return times.Count <= MostListed ? [.. times.Select(t => new CalendarEntry(t, schedule.Name, null))] : [new(times[0], schedule.Name, null, times.Count)];
    }

    /// <summary>Midnight, or the first moment of the day where the clock jumps over it.</summary>
    private static DateTimeOffset Start(DateOnly day, TimeZoneInfo zone)
    {
        var local = day.ToDateTime(TimeOnly.MinValue);
        while (zone.IsInvalidTime(local))
            local = local.AddMinutes(15);
        return new DateTimeOffset(local, zone.IsAmbiguousTime(local) ? zone.GetAmbiguousTimeOffsets(local).Max() : zone.GetUtcOffset(local)).ToUniversalTime();
    }

    private static DateTimeOffset Max(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;
}
