using LlmOps.Lifecycle.Jobs;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Jobs;

public abstract class JobClaimTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    private JobTransitions Transitions => Get<JobTransitions>();

    private Task<Job> StoredAsync(Job job) => ReadAsync(db => db.Jobs.AsNoTracking().SingleAsync(j => j.Id == job.Id));

    [Fact]
    public async Task OneJob_IsClaimedByOneWorker_WhenManyAskAtOnce()
    {
        var job = await Product.QueueAsync();
        var claims = await AtOnceAsync(8, i => Transitions.TryClaimAsync(TestProduct.Offer($"worker-{i}")));
        var winner = Assert.Single(claims, c => c is not null)!;
        var stored = await StoredAsync(job);
        Assert.Equal((JobState.Running, 1, 1L, winner.WorkerName), (stored.State, stored.Attempt, stored.FencingToken, stored.WorkerName));
    }

    [Fact]
    public async Task ManyJobs_AreEachClaimedOnce_WhenWorkersRace()
    {
        for (var i = 0; i < 12; i++)
            await Product.QueueAsync();
        var claims = await AtOnceAsync(4, async i =>
        {
            var mine = new List<Guid>();
            // A worker that lost eight races in a row gets null although there is more to do; it would ask again at its next poll.
            for (var empty = 0; empty < 3;)
                if (await Transitions.TryClaimAsync(TestProduct.Offer($"worker-{i}")) is { } job)
                    mine.Add(job.Id);
                else
                    empty++;
            return mine;
        });
        var all = claims.SelectMany(c => c).ToList();
        Assert.Equal(12, all.Count);
        Assert.Equal(12, all.Distinct().Count());
        Assert.Equal(12, await CountAsync(db => db.Jobs.Where(j => j.Attempt == 1 && j.FencingToken == 1)));
    }

    [Fact]
    public async Task Claim_TakesTheOldestJobFirst()
    {
        var first = await Product.QueueAsync();
        var second = await Product.QueueAsync();
        Assert.Equal([first.Id, second.Id], [(await Product.ClaimAsync()).Id, (await Product.ClaimAsync()).Id]);
    }

    [Fact]
    public async Task Claim_PassesOver_WhatIsNotDueYet()
    {
        var job = await Product.QueueAsync(notBefore: Product.Clock.GetUtcNow().AddMinutes(5));
        Assert.Null(await Transitions.TryClaimAsync(TestProduct.Offer()));
        Product.Clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(job.Id, (await Product.ClaimAsync()).Id);
    }

    [Fact]
    public async Task Claim_PassesOver_WhatTheWorkerCannotCarryOut()
    {
        var gpu = await Product.QueueAsync(needs: "gpu");
        var large = await Product.QueueAsync(memoryBytes: 4L << 30);
        Assert.Null(await Transitions.TryClaimAsync(TestProduct.Offer(provides: "cpu", memoryBytes: 2L << 30)));
        Assert.Equal(gpu.Id, (await Transitions.TryClaimAsync(TestProduct.Offer(provides: "cpu,gpu", memoryBytes: 2L << 30)))?.Id);
        Assert.Equal(large.Id, (await Transitions.TryClaimAsync(TestProduct.Offer(provides: "cpu", memoryBytes: 4L << 30)))?.Id);
    }

    [Fact]
    public async Task Renew_KeepsTheLease_AndStoresProgress()
    {
        await Product.QueueAsync();
        var job = await Product.ClaimAsync();
        Product.Clock.Advance(TimeSpan.FromSeconds(25));
        Assert.Equal(LeaseAnswer.Renewed, await Transitions.RenewAsync(job, Lease, 0.5, "half"));
        Product.Clock.Advance(TimeSpan.FromSeconds(25));
        Assert.Equal(0, await Transitions.SweepStaleLeasesAsync());
        var stored = await StoredAsync(job);
        Assert.Equal((JobState.Running, 0.5, "half"), (stored.State, stored.Progress, stored.ProgressText));
    }

    [Fact]
    public async Task Renew_SaysThatCancellationWasAskedFor()
    {
        await Product.QueueAsync();
        var job = await Product.ClaimAsync();
        await Get<CancelJobUseCase>().CancelAsync(job.Id, Product.Alice);
        Assert.Equal(LeaseAnswer.RenewedButCancelRequested, await Transitions.RenewAsync(job, Lease, 0, null));
        await Transitions.CancelledAsync(job);
        Assert.Equal(JobState.Cancelled, (await StoredAsync(job)).State);
    }

    [Fact]
    public async Task SweptWorker_CanWriteNothingAnyMore()
    {
        await Product.QueueAsync();
        var slow = await Product.ClaimAsync("slow");
        Product.Clock.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(1, await Transitions.SweepStaleLeasesAsync());
        await AssertPowerlessAsync(slow);
        var quick = await Product.ClaimAsync("quick");
        Assert.Equal(slow.Id, quick.Id);
        await AssertPowerlessAsync(slow);
        var stored = await StoredAsync(quick);
        Assert.Equal((JobState.Running, "quick", 2), (stored.State, stored.WorkerName, stored.Attempt));
        await Product.Context(quick).CompleteAsync(_ => Task.FromResult(new Dictionary<string, string>()), default);
        await AssertPowerlessAsync(slow);
        Assert.Equal(JobState.Succeeded, (await StoredAsync(quick)).State);
    }

    /// <summary>Renewing, saving, completing, refusing and every other end.</summary>
    private async Task AssertPowerlessAsync(Job job)
    {
        var before = await StoredAsync(job);
        var models = await CountAsync(db => db.Models);
        var context = Product.Context(job);
        Assert.Equal(LeaseAnswer.Lost, await Transitions.RenewAsync(job, Lease, 1, null));
        await Assert.ThrowsAsync<LeaseLostException>(() => context.SaveAsync(AddModel, default));
        await Assert.ThrowsAsync<LeaseLostException>(() => context.CompleteAsync(async db => { await AddModel(db); return []; }, default));
        await Assert.ThrowsAsync<LeaseLostException>(() => context.RefuseAsync(AddModel, "no", default));
        await Transitions.FailAsync(job, "late");
        await Transitions.CancelledAsync(job);
        await Transitions.RequeueAsync(job, null, "late");
        Assert.False(context.Completed);
        Assert.Equal(models, await CountAsync(db => db.Models));
        Assert.Equivalent(before, await StoredAsync(job), strict: true);

        static Task AddModel(LlmOps.Lifecycle.Data.LlmOpsDb db)
        {
            db.Models.Add(new() { Name = $"late-{Guid.NewGuid():N}", Owner = "late" });
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Sweep_FailsAJob_ThatHasUsedUpItsAttempts()
    {
        var job = await Product.QueueAsync(maxAttempts: 2);
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            await Product.ClaimAsync();
            Product.Clock.Advance(TimeSpan.FromSeconds(31));
            await Transitions.SweepStaleLeasesAsync();
        }
        var stored = await StoredAsync(job);
        Assert.Equal(JobState.Failed, stored.State);
        Assert.Contains("attempt 2 of 2", stored.Error, StringComparison.Ordinal);
        Assert.NotNull(stored.EndedAt);
    }

    [Fact]
    public async Task Sweep_CancelsAJob_ThatWasAskedToStop()
    {
        await Product.QueueAsync();
        var job = await Product.ClaimAsync();
        await Get<CancelJobUseCase>().CancelAsync(job.Id, Product.Alice);
        Product.Clock.Advance(TimeSpan.FromSeconds(31));
        await Transitions.SweepStaleLeasesAsync();
        Assert.Equal(JobState.Cancelled, (await StoredAsync(job)).State);
    }

    [Fact]
    public async Task OrderlyStop_UsesUpNoAttempt()
    {
        await Product.QueueAsync(maxAttempts: 2);
        for (var restart = 0; restart < 5; restart++)
        {
            var job = await Product.ClaimAsync();
            Assert.Equal(1, job.Attempt);
            await Transitions.RequeueAsync(job, null, "stopped", countAttempt: false);
        }
        Assert.Equal((JobState.Queued, 0), await ReadAsync(async db => (await db.Jobs.SingleAsync()) switch { var j => (j.State, j.Attempt) }));
    }

    [Fact]
    public async Task BrokenWorld_DelaysTheNextAttempt()
    {
        await Product.QueueAsync();
        await Transitions.RequeueAsync(await Product.ClaimAsync(), TimeSpan.FromMinutes(1), "the disk went away");
        Assert.Null(await Transitions.TryClaimAsync(TestProduct.Offer()));
        Product.Clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(2, (await Product.ClaimAsync()).Attempt);
    }

    [Fact]
    public async Task JobsOfADeadProcess_AreGivenBackAtOnce_ToTheNextOwnerOfTheDataFolder()
    {
        await Product.QueueAsync();
        await Product.QueueAsync();
        var dead = new WorkerNode { Name = "dead", Host = "here", Slots = 1, Provides = "cpu", DataFolder = "/data/a", StartedAt = Product.Clock.GetUtcNow() };
        var other = new WorkerNode { Name = "other", Host = "there", Slots = 1, Provides = "cpu", DataFolder = "/data/b", StartedAt = Product.Clock.GetUtcNow() };
        await Product.WriteAsync(db => db.Workers.AddRange(dead, other));
        var orphan = await Transitions.TryClaimAsync(TestProduct.Offer() with { WorkerId = dead.Id });
        var alive = await Transitions.TryClaimAsync(TestProduct.Offer() with { WorkerId = other.Id });
        Assert.Equal(1, await Transitions.GiveBackJobsOfDataFolderAsync("/data/a"));
        Assert.Equal(JobState.Queued, (await StoredAsync(orphan!)).State);
        Assert.Equal(JobState.Running, (await StoredAsync(alive!)).State);
        Assert.NotNull((await ReadAsync(db => db.Workers.SingleAsync(w => w.Id == dead.Id))).StoppedAt);
    }

    [Fact]
    public async Task Cancel_EndsAQueuedJobAtOnce_SoThatNobodyCanClaimIt()
    {
        var job = await Product.QueueAsync();
        await Get<CancelJobUseCase>().CancelAsync(job.Id, Product.Alice);
        Assert.Null(await Transitions.TryClaimAsync(TestProduct.Offer()));
        Assert.Equal(JobState.Cancelled, (await StoredAsync(job)).State);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<CancelJobUseCase>().CancelAsync(job.Id, Product.Alice));
    }

    [Fact]
    public async Task Cancel_AndClaimAtOnce_NeverBothWin()
    {
        for (var round = 0; round < 10; round++)
        {
            var job = await Product.QueueAsync();
            var results = await AtOnceAsync(2, async i =>
            {
                if (i == 0)
                    return await Transitions.TryClaimAsync(TestProduct.Offer()) is not null;
                try
                {
                    await Get<CancelJobUseCase>().CancelAsync(job.Id, Product.Alice);
                    return true;
                }
                catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
                {
                    return false;
                }
            });
            var stored = await StoredAsync(job);
            Assert.Equal(results[0] ? JobState.Running : JobState.Cancelled, stored.State);
            // Both say yes only when the claim came first and the running job was asked to stop.
            Assert.Equal(results[1], stored.CancelRequested);
            await Product.WriteAsync(db => db.Jobs.Where(j => j.Id == job.Id).ExecuteDelete());
        }
    }
}

public sealed class JobClaimsOnSqlite() : JobClaimTests(DatabaseProvider.Sqlite);

public sealed class JobClaimsOnPostgres() : JobClaimTests(DatabaseProvider.Postgres);
