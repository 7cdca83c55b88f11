using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Tests.Pipelines;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Scheduling;

public abstract class ScheduleTests(DatabaseProvider provider) : ProductTests(provider)
{
    private ManageSchedules Schedules => Get<ManageSchedules>();
    private FireSchedules Fire => Get<FireSchedules>();

    private async Task<Schedule> CreateAsync(string cron = "0 3 * * *", string timeZone = "UTC", OverlapPolicy overlap = OverlapPolicy.Skip, CatchUpPolicy catchUp = CatchUpPolicy.Once)
    {
        await Get<StartPipeline>().DefineAsync(PipelineRunTests.Diamond, "", Product.Alice);
        return await Schedules.CreateAsync(new ScheduleRequest("nightly", cron, timeZone, Pipeline: "diamond", Overlap: overlap, CatchUp: catchUp), Product.Alice);
    }

    private Task<List<ScheduleFiring>> FiringsAsync() => ReadAsync(db => db.ScheduleFirings.AsNoTracking().OrderBy(f => f.DueAt).ToListAsync());

    private async Task EndRunAsync()
    {
        await Product.WriteAsync(db =>
        {
            foreach (var run in db.PipelineRuns.Include(r => r.Stages).Where(r => r.EndedAt == null))
            {
                (run.State, run.EndedAt) = (PipelineState.Succeeded, Product.Clock.GetUtcNow());
                foreach (var stage in run.Stages)
                    stage.State = StageState.Succeeded;
            }
        });
    }

    private Task<int> RunsAsync() => CountAsync(db => db.PipelineRuns);

    [Fact]
    public async Task Schedule_Fires_WhenItsTimeHasCome()
    {
        var schedule = await CreateAsync();
        Assert.Equal(0, await Fire.FireDueAsync());
        Product.Clock.Advance(TimeSpan.FromHours(18));
        Assert.Equal(1, await Fire.FireDueAsync());
        Assert.Equal(0, await Fire.FireDueAsync());
        var run = await ReadAsync(db => db.PipelineRuns.SingleAsync());
        Assert.Equal("system", run.CreatedBy);
        Assert.Equal(run.Id, (await ReadAsync(db => db.Schedules.SingleAsync(s => s.Id == schedule.Id))).LastRunId);
    }

    [Fact]
    public async Task Schedule_FiresOnce_WhenItWasDueThreeTimes()
    {
        await CreateAsync();
        Product.Clock.Advance(TimeSpan.FromDays(3));
        Assert.Equal(1, await Fire.FireDueAsync());
        Assert.Equal(0, await Fire.FireDueAsync());
        Assert.Equal(1, await RunsAsync());
        var firing = Assert.Single(await FiringsAsync());
        Assert.Equal((2, FiringOutcome.Started, DateTimeOffset.Parse("2026-03-05T03:00:00Z", null)), (firing.Missed, firing.Outcome, firing.DueAt));
        Assert.Equal(await ReadAsync(db => db.PipelineRuns.Select(r => (Guid?)r.Id).SingleAsync()), firing.PipelineRunId);
    }

    [Fact]
    public async Task Schedule_LosesNothingAndDoublesNothing_WhenTheClaimDoesNotReachTheDatabase()
    {
        var schedule = await CreateAsync();
        Product.Clock.Advance(TimeSpan.FromDays(1));
        await using (var db = Product.Open())
            await db.Database.ExecuteSqlRawAsync(Product.Provider == DatabaseProvider.Sqlite
                ? "CREATE TRIGGER broken BEFORE INSERT ON schedule_firings BEGIN SELECT RAISE(ABORT, 'the power went'); END"
                : "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the power went'; END $$; CREATE TRIGGER broken BEFORE INSERT ON schedule_firings FOR EACH ROW EXECUTE FUNCTION broken()");
        await Assert.ThrowsAsync<DbUpdateException>(() => Fire.FireDueAsync());
        Assert.Equal((0, 0), (await RunsAsync(), (await FiringsAsync()).Count));
        Assert.Null((await ReadAsync(db => db.Schedules.SingleAsync(s => s.Id == schedule.Id))).LastFiredAt);
        await using (var db = Product.Open())
            await db.Database.ExecuteSqlRawAsync(Product.Provider == DatabaseProvider.Sqlite ? "DROP TRIGGER broken" : "DROP TRIGGER broken ON schedule_firings");
        Assert.Equal(1, await Fire.FireDueAsync());
        Assert.Equal((1, 1), (await RunsAsync(), (await FiringsAsync()).Count));
    }

    [Fact]
    public async Task Schedule_ThatDoesNotCatchUp_WritesDownWhatItSkipped_AndFiresOnTimeAgain()
    {
        await CreateAsync(catchUp: CatchUpPolicy.Skip);
        Product.Clock.Advance(TimeSpan.FromDays(3));
        Assert.Equal(0, await Fire.FireDueAsync());
        var skipped = Assert.Single(await FiringsAsync());
        Assert.Equal((FiringOutcome.Skipped, 2), (skipped.Outcome, skipped.Missed));
        Product.Clock.Set(DateTimeOffset.Parse("2026-03-06T03:00:30Z", null));
        Assert.Equal(1, await Fire.FireDueAsync());
        Assert.Equal([FiringOutcome.Skipped, FiringOutcome.Started], (await FiringsAsync()).Select(f => f.Outcome));
    }

    [Fact]
    public async Task Overlap_Skip_WritesDownThatTheRunBeforeIsNotOver()
    {
        await CreateAsync();
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(1, await Fire.FireDueAsync());
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(0, await Fire.FireDueAsync());
        Assert.Equal([FiringOutcome.Started, FiringOutcome.Skipped], (await FiringsAsync()).Select(f => f.Outcome));
        await EndRunAsync();
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(1, await Fire.FireDueAsync());
    }

    [Theory]
    [InlineData(CatchUpPolicy.Once)]
    [InlineData(CatchUpPolicy.Skip)]
    public async Task Overlap_Queue_FiresWhenTheRunBeforeIsOver(CatchUpPolicy catchUp)
    {
        await CreateAsync(overlap: OverlapPolicy.Queue, catchUp: catchUp);
        Product.Clock.Set(DateTimeOffset.Parse("2026-03-03T03:00:30Z", null));
        Assert.Equal(1, await Fire.FireDueAsync());
        Product.Clock.Advance(TimeSpan.FromHours(50));
        Assert.Equal(0, await Fire.FireDueAsync());
        Assert.Single(await FiringsAsync());
        await EndRunAsync();
        Assert.Equal(1, await Fire.FireDueAsync());
        Assert.Equal(0, await Fire.FireDueAsync());
        Assert.Equal(1, (await FiringsAsync())[1].Missed);
    }

    [Fact]
    public async Task Overlap_CancelPrevious_CancelsItAndStartsTheNext()
    {
        await CreateAsync(overlap: OverlapPolicy.CancelPrevious);
        Product.Clock.Advance(TimeSpan.FromDays(1));
        await Fire.FireDueAsync();
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(1, await Fire.FireDueAsync());
        Assert.Equal([PipelineState.Cancelled, PipelineState.Running], await ReadAsync(db => db.PipelineRuns.OrderBy(r => r.Number).Select(r => r.State).ToListAsync()));
    }

    [Fact]
    public async Task RunNow_StartsWithoutMovingTheNextTime()
    {
        var schedule = await CreateAsync();
        var firing = await Fire.RunNowAsync(schedule.Id, Product.Alice);
        Assert.Equal("Asked for by alice.", firing.Note);
        Assert.Equal("alice", await ReadAsync(db => db.PipelineRuns.Select(r => r.CreatedBy).SingleAsync()));
        Assert.Contains("is not over yet", await RefusedAsync(ErrorCode.ResourceConflict, () => Fire.RunNowAsync(schedule.Id, Product.Alice)), StringComparison.Ordinal);
        await EndRunAsync();
        Product.Clock.Advance(TimeSpan.FromHours(18));
        Assert.Equal(1, await Fire.FireDueAsync());
    }

    [Fact]
    public async Task RunNow_AskedTwiceInOneMoment_StartsOneRun()
    {
        // With this policy nothing else stands in the way of the second click.
        var schedule = await CreateAsync(overlap: OverlapPolicy.CancelPrevious);
        var answers = await AtOnceAsync(4, _ => AskAsync(schedule.Id));
        Assert.Single(answers, a => a is null);
        Assert.All(answers.OfType<string>(), a => Assert.Contains("in this moment", a, StringComparison.Ordinal));
        Assert.Contains("in this moment", await AskAsync(schedule.Id), StringComparison.Ordinal);
        Assert.Equal(1, await CountAsync(db => db.PipelineRuns));
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(await AskAsync(schedule.Id));
        Assert.Equal([PipelineState.Cancelled, PipelineState.Running], await ReadAsync(db => db.PipelineRuns.OrderBy(r => r.Number).Select(r => r.State).ToListAsync()));
    }

    /// <summary>Why it was not started, or null when it was.</summary>
    private async Task<string?> AskAsync(Guid schedule)
    {
        try
        {
            await Fire.RunNowAsync(schedule, Product.Alice);
            return null;
        }
        catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
        {
            return e.Message;
        }
    }

    [Fact]
    public async Task Schedule_ThatCannotStart_SaysWhy_AndTheOthersStillFire()
    {
        await CreateAsync();
        await Product.WriteAsync(db => db.Schedules.Add(new Schedule { Name = "a-lost", Cron = "0 3 * * *", TimeZone = "Nowhere/Else", DefinitionId = db.PipelineDefinitions.Single().Id, CreatedBy = "alice", CreatedAt = Product.Clock.GetUtcNow() }));
        await Product.WriteAsync(db => db.Schedules.Add(new Schedule { Name = "b-broken", Kind = Schedule.Regression, SpecJson = """{"subject":"alias:ghost@production","rules":["parity passed"]}""", Cron = "0 3 * * *", CreatedBy = "alice", CreatedAt = Product.Clock.GetUtcNow() }));
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(1, await Fire.FireDueAsync());
        var errors = await ReadAsync(db => db.Schedules.OrderBy(s => s.Name).Select(s => s.LastError).ToListAsync());
        Assert.Contains("is no time zone", errors[0], StringComparison.Ordinal);
        Assert.Contains("'ghost' does not exist", errors[1], StringComparison.Ordinal);
        Assert.Null(errors[2]);
        Assert.Equal([FiringOutcome.Failed, FiringOutcome.Started], (await FiringsAsync()).OrderBy(f => f.Outcome == FiringOutcome.Started).Select(f => f.Outcome));
    }

    [Fact]
    public async Task Schedule_FiresOnce_WhenManyClocksLookAtTheSameTime()
    {
        await CreateAsync();
        Product.Clock.Advance(TimeSpan.FromDays(1));
        var fired = await AtOnceAsync(6, _ => Fire.FireDueAsync());
        Assert.Equal(1, fired.Sum());
        Assert.Equal(1, await RunsAsync());
    }

    [Fact]
    public async Task Schedule_ThatWasOff_CatchesNothingUp()
    {
        var schedule = await CreateAsync();
        await Schedules.EnableAsync(schedule.Id, false, Product.Alice);
        Product.Clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal(0, await Fire.FireDueAsync());
        await Schedules.EnableAsync(schedule.Id, true, Product.Alice);
        Assert.Equal(0, await Fire.FireDueAsync());
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(1, await Fire.FireDueAsync());
    }

    [Fact]
    public async Task Delete_EndsTheSchedule()
    {
        await Schedules.DeleteAsync((await CreateAsync()).Id, Product.Alice);
        Product.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(0, await Fire.FireDueAsync());
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
