using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Jobs;

public abstract class JobCompletionTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const string Yaml = """
        name: one-stage
        stages:
          - kind: import-data
            with: { source: data, name: facts }
        """;

    private async Task<(Job Job, Guid Stage)> RunningStageAsync()
    {
        await Get<StartPipeline>().DefineAsync(Yaml, "", Product.Alice);
        var run = await Get<StartPipeline>().StartAsync("one-stage", Product.Alice);
        return (await Product.ClaimAsync(), run.Stages.Single().Id);
    }

    private Task<StageRun> StageAsync(Guid id) => ReadAsync(db => db.StageRuns.AsNoTracking().SingleAsync(s => s.Id == id));

    [Fact]
    public async Task Complete_SavesResultsJobAndStageTogether()
    {
        var (job, stage) = await RunningStageAsync();
        Assert.Equal(StageState.Running, (await StageAsync(stage)).State);
        var context = Product.Context(job);
        await context.CompleteAsync(db => { db.Models.Add(new() { Name = "made", Owner = "alice" }); return Task.FromResult(new Dictionary<string, string> { ["corpus"] = "facts/1" }); }, default);
        var stored = await ReadAsync(db => db.Jobs.SingleAsync());
        Assert.Equal((JobState.Succeeded, 1.0, null), (stored.State, stored.Progress, stored.LeaseUntil));
        Assert.Equal((StageState.Succeeded, """{"corpus":"facts/1"}"""), ((await StageAsync(stage)).State, (await StageAsync(stage)).OutputsJson));
        Assert.Equal(1, await CountAsync(db => db.Models));
        Assert.True(context.Completed);
    }

    [Fact]
    public async Task Complete_LeavesNothing_WhenItsWriteBreaks()
    {
        var (job, stage) = await RunningStageAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => Product.Context(job).CompleteAsync(async db =>
        {
            db.Models.Add(new() { Name = "half", Owner = "alice" });
            await db.SaveChangesAsync();
            throw new InvalidOperationException("killed here");
        }, default));
        Assert.Equal(0, await CountAsync(db => db.Models));
        Assert.Equal(StageState.Running, (await StageAsync(stage)).State);
        Assert.Equal(JobState.Running, (await ReadAsync(db => db.Jobs.SingleAsync())).State);
    }

    [Fact]
    public async Task Complete_AddsNothing_WhenRepeated()
    {
        var (job, _) = await RunningStageAsync();
        await Product.Context(job).CompleteAsync(AddVersionAsync(job), default);
        await Assert.ThrowsAsync<LeaseLostException>(() => Product.Context(job).CompleteAsync(AddVersionAsync(job), default));
        Assert.Equal(1, await CountAsync(db => db.ModelVersions));
    }

    [Fact]
    public async Task VersionNumbers_AreConsecutive_WhenManyJobsFinishAtOnce()
    {
        var jobs = new List<Job>();
        for (var i = 0; i < 8; i++)
            await Product.QueueAsync();
        for (var i = 0; i < 8; i++)
            jobs.Add(await Product.ClaimAsync());
        await AtOnceAsync(8, async i => { await Product.Context(jobs[i]).CompleteAsync(AddVersionAsync(jobs[i]), default); return true; });
        Assert.Equal(Enumerable.Range(1, 8), await ReadAsync(db => db.ModelVersions.Select(v => v.Number).OrderBy(n => n).ToListAsync()));
        Assert.Equal(8, await CountAsync(db => db.Jobs.Where(j => j.State == JobState.Succeeded)));
        Assert.Equal(1, await CountAsync(db => db.Models));
    }

    private Func<LlmOps.Lifecycle.Data.LlmOpsDb, Task<Dictionary<string, string>>> AddVersionAsync(Job job) => async db =>
    {
        var stored = new StoredArtifact(new string('a', 64), new([]));
        var version = await db.AddVersionAsync(new NewVersion("shared", "pretrain", stored, 1, "", "", "MIT", "{}", null, null, job.Id), Product.Alice, Product.Clock.GetUtcNow(), default);
        return new() { ["version"] = version.Key().ToString() };
    };

    [Fact]
    public async Task Refuse_KeepsTheResults_AndFailsTheStageWithTheReason()
    {
        var (job, stage) = await RunningStageAsync();
        await Product.Context(job).RefuseAsync(db => { db.Models.Add(new() { Name = "decision", Owner = "alice" }); return Task.CompletedTask; }, "No variant passes.", default);
        Assert.Equal(1, await CountAsync(db => db.Models));
        var stored = await ReadAsync(db => db.Jobs.SingleAsync());
        Assert.Equal((JobState.Failed, "No variant passes."), (stored.State, stored.Error));
        Assert.Equal((StageState.Failed, "No variant passes."), ((await StageAsync(stage)).State, (await StageAsync(stage)).Error));
        await Get<AdvancePipelines>().AdvanceAllAsync();
        Assert.Equal(PipelineState.Failed, (await ReadAsync(db => db.PipelineRuns.SingleAsync())).State);
    }

    [Fact]
    public async Task Save_KeepsPartialResults_WhileTheJobRuns()
    {
        var (job, stage) = await RunningStageAsync();
        await Product.Context(job).SaveAsync(db => { db.Models.Add(new() { Name = "partial", Owner = "alice" }); return Task.CompletedTask; }, default);
        Assert.Equal(1, await CountAsync(db => db.Models));
        Assert.Equal(StageState.Running, (await StageAsync(stage)).State);
    }

    [Fact]
    public async Task Requeue_QueuesTheStageAgain()
    {
        var (job, stage) = await RunningStageAsync();
        await Get<JobTransitions>().RequeueAsync(job, null, "stopped", countAttempt: false);
        Assert.Equal(StageState.Queued, (await StageAsync(stage)).State);
        await Product.ClaimAsync();
        Assert.Equal(StageState.Running, (await StageAsync(stage)).State);
    }

    [Fact]
    public async Task Log_IsWrittenOnce_InOrder()
    {
        var job = await Product.QueueAsync();
        var context = Product.Context(await Product.ClaimAsync());
        context.Log("first");
        context.Log("second", "warning");
        await context.FlushLogAsync();
        await context.FlushLogAsync();
        var lines = await Get<ReadJobs>().LogAsync(job.Id, 0, 100);
        Assert.Equal([("info", "first", 1), ("warning", "second", 1)], lines.Select(l => (l.Level, l.Text, l.Attempt)));
    }
}

public sealed class JobCompletionOnSqlite() : JobCompletionTests(DatabaseProvider.Sqlite);

public sealed class JobCompletionOnPostgres() : JobCompletionTests(DatabaseProvider.Postgres);
