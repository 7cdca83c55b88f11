using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Pipelines;

public abstract class ScheduleTests(DatabaseProvider provider) : ProductTests(provider)
{
    private ManageSchedules Schedules => Get<ManageSchedules>();

    private async Task<Schedule> CreateAsync(string cron = "0 3 * * *", string timeZone = "UTC")
    {
        await Get<StartPipeline>().DefineAsync(PipelineRunTests.Diamond, "", Product.Alice);
        return await Schedules.CreateAsync("nightly", "diamond", cron, timeZone, Product.Alice);
    }

    private Task<int> RunsAsync() => CountAsync(db => db.PipelineRuns);

    [Fact]
    public async Task Schedule_Fires_WhenItsTimeHasCome()
    {
        var schedule = await CreateAsync();
        Assert.Equal(0, await Schedules.FireDueAsync());
        Product.Clock.Advance(TimeSpan.FromHours(18));
        Assert.Equal(1, await Schedules.FireDueAsync());
        Assert.Equal(0, await Schedules.FireDueAsync());
        var run = await ReadAsync(db => db.PipelineRuns.SingleAsync());
        Assert.Equal("system", run.CreatedBy);
        Assert.Equal(run.Id, (await ReadAsync(db => db.Schedules.SingleAsync(s => s.Id == schedule.Id))).LastRunId);
    }

    [Fact]
    public async Task Schedule_FiresOnce_WhenItWasDueThreeTimes()
    {
        await CreateAsync();
        Product.Clock.Advance(TimeSpan.FromDays(3));
        Assert.Equal(1, await Schedules.FireDueAsync());
        Assert.Equal(0, await Schedules.FireDueAsync());
        Assert.Equal(1, await RunsAsync());
    }

    [Fact]
    public async Task Schedule_FiresOnce_WhenManyClocksLookAtTheSameTime()
    {
        await CreateAsync();
        Product.Clock.Advance(TimeSpan.FromDays(1));
        var fired = await AtOnceAsync(6, _ => Schedules.FireDueAsync());
        Assert.Equal(1, fired.Sum());
        Assert.Equal(1, await RunsAsync());
    }

    [Fact]
    public async Task Schedule_ThatWasOff_CatchesNothingUp()
    {
        var schedule = await CreateAsync();
        await Schedules.EnableAsync(schedule.Id, false, Product.Alice);
        Product.Clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal(0, await Schedules.FireDueAsync());
        await Schedules.EnableAsync(schedule.Id, true, Product.Alice);
        Assert.Equal(0, await Schedules.FireDueAsync());
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(1, await Schedules.FireDueAsync());
    }

    [Fact]
    public async Task Delete_EndsTheSchedule()
    {
        await Schedules.DeleteAsync((await CreateAsync()).Id, Product.Alice);
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(0, await Schedules.FireDueAsync());
        Assert.Equal(0, await CountAsync(db => db.Schedules));
    }

    [Theory]
    [InlineData("every day", "UTC", "'every day' is no cron expression")]
    [InlineData("61 * * * *", "UTC", "is no cron expression")]
    [InlineData("0 3 * * *", "Middle/Earth", "'Middle/Earth' is no time zone")]
    [InlineData("0 3 * * *", "", "is no time zone")]
    [InlineData("0 0 31 2 *", "UTC", "never comes")]
    public async Task Create_RefusesATime_ThatMeansNothing(string cron, string timeZone, string message)
    {
        Assert.Contains(message, await RefusedAsync(ErrorCode.InvalidParameterValue, () => CreateAsync(cron, timeZone)), StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(db => db.Schedules));
    }

    [Fact]
    public async Task Create_RefusesANameTwice_AndAnUnknownPipeline()
    {
        await CreateAsync();
        await RefusedAsync(ErrorCode.ResourceAlreadyExists, () => CreateAsync());
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Schedules.CreateAsync("other", "ghost", "0 3 * * *", "UTC", Product.Alice));
    }
}

public sealed class SchedulesOnSqlite() : ScheduleTests(DatabaseProvider.Sqlite);

public sealed class SchedulesOnPostgres() : ScheduleTests(DatabaseProvider.Postgres);

/// <summary>The arithmetic of the clock, free of any database.</summary>
public sealed class ScheduleTimeTests
{
    [Theory]
    // In Berlin the clock jumps from 02:00 to 03:00 on 29 March 2026, and back from 03:00 to 02:00 on 25 October 2026.
    [InlineData("30 2 * * *", "2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z")]
    [InlineData("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z")]      // 02:30 does not exist: at the first moment after it
    [InlineData("30 2 * * *", "2026-03-29T12:00:00Z", "2026-03-30T00:30:00Z")]
    [InlineData("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z")]      // 02:30 comes twice: the first one
    [InlineData("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z")]      // and not again
    public void DailyTime_ComesOnceADay_AcrossDaylightSaving(string cron, string from, string expected) =>
        Assert.Equal(DateTimeOffset.Parse(expected, null), ManageSchedules.NextAfter(cron, "Europe/Berlin", DateTimeOffset.Parse(from, null))!.Value.ToUniversalTime());
}
