using LlmOps.Lifecycle.Scheduling;

namespace LlmOps.Lifecycle.Tests.Scheduling;

/// <summary>
/// The arithmetic of the clock, free of any database. In 2026 the clock jumps: Berlin 29 March 02:00 → 03:00 and 25 October 03:00 → 02:00;
/// New York 8 March 02:00 → 03:00 and 1 November 02:00 → 01:00; Lord Howe by half an hour, 4 October 02:00 → 02:30 and 5 April 02:00 → 01:30.
/// </summary>
public sealed class ScheduleTimeTests
{
    private static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    [Theory]
    [InlineData("Europe/Berlin", "30 2 * * *", "2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z")]
    [InlineData("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z")]      // 02:30 does not exist: at the first moment after it
    [InlineData("Europe/Berlin", "30 2 * * *", "2026-03-29T12:00:00Z", "2026-03-30T00:30:00Z")]
    [InlineData("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z")]      // 02:30 comes twice: the first one
    [InlineData("Europe/Berlin", "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z")]      // and not again
    [InlineData("America/New_York", "30 2 * * *", "2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z")]
    [InlineData("America/New_York", "30 1 * * *", "2026-11-01T04:00:00Z", "2026-11-01T05:30:00Z")]
    [InlineData("America/New_York", "30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z")]
    [InlineData("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z")] // the gap is half an hour
    [InlineData("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00:00Z", "2026-04-04T14:45:00Z")]
    [InlineData("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z")]
    public void DailyTime_ComesOnceADay_AcrossDaylightSaving(string zone, string cron, string from, string expected) =>
        Assert.Equal(Utc(expected), ScheduleTimes.NextAfter(cron, zone, Utc(from))!.Value.ToUniversalTime());

    [Theory]
    // The day has 23, 25, 23.5 and 24.5 hours.
    [InlineData("Europe/Berlin", "0 * * * *", "2026-03-28T22:59:00Z", 23 * 60, 23)]
    [InlineData("Europe/Berlin", "0 * * * *", "2026-10-24T21:59:00Z", 25 * 60, 25)]
    [InlineData("America/New_York", "0 * * * *", "2026-03-08T04:59:00Z", 23 * 60, 23)]
    [InlineData("America/New_York", "0 * * * *", "2026-11-01T03:59:00Z", 25 * 60, 25)]
    [InlineData("Europe/Berlin", "* * * * *", "2026-03-28T22:59:00Z", 23 * 60, 23 * 60)]
    [InlineData("Europe/Berlin", "* * * * *", "2026-10-24T21:59:00Z", 25 * 60, 25 * 60)]
    [InlineData("America/New_York", "*/10 * * * *", "2026-11-01T03:59:00Z", 25 * 60, 150)]
    [InlineData("Australia/Lord_Howe", "* * * * *", "2026-10-03T13:29:00Z", 23 * 60 + 30, 23 * 60 + 30)]
    [InlineData("Australia/Lord_Howe", "* * * * *", "2026-04-04T12:59:00Z", 24 * 60 + 30, 24 * 60 + 30)]
    // Half an hour that is repeated holds no full hour, and one that is left out holds 02:00.
    [InlineData("Australia/Lord_Howe", "0 * * * *", "2026-04-04T12:59:00Z", 24 * 60 + 30, 24)]
    public void Interval_GoesOnThroughTheWholeDay_HoweverLongItIs(string zone, string cron, string from, int minutes, int expected)
    {
        var begin = Utc(from);
        var due = ScheduleTimes.Due(cron, zone, begin, begin.AddMinutes(minutes));
        Assert.Equal(expected, due!.Missed + 1);
    }

    [Fact]
    public void Due_CountsWhatWasMissed_AndKeepsTheLast()
    {
        Assert.Equal(new DueTimes(Utc("2026-03-05T03:00:00Z"), 2), ScheduleTimes.Due("0 3 * * *", "UTC", Utc("2026-03-02T09:00:00Z"), Utc("2026-03-05T09:00:00Z")));
        Assert.Equal(new DueTimes(Utc("2026-03-03T03:00:00Z"), 0), ScheduleTimes.Due("0 3 * * *", "UTC", Utc("2026-03-02T09:00:00Z"), Utc("2026-03-03T03:00:00Z")));
        Assert.Null(ScheduleTimes.Due("0 3 * * *", "UTC", Utc("2026-03-02T09:00:00Z"), Utc("2026-03-03T02:59:59Z")));
    }

    [Fact]
    public void Upcoming_IsWhatTheFormShows() =>
        Assert.Equal([Utc("2026-03-02T07:00:00Z"), Utc("2026-03-09T07:00:00Z")], ScheduleTimes.Upcoming("0 8 * * 1", "Europe/Berlin", Utc("2026-03-01T00:00:00Z"), 2));
}
