using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Jobs;

/// <summary>What the worker that asks can carry out.</summary>
public sealed record WorkerOffer(Guid WorkerId, string WorkerName, IReadOnlyList<string> Provides, long MemoryBytes, TimeSpan Lease);

public enum LeaseAnswer { Renewed, RenewedButCancelRequested, RenewedButPauseRequested, RenewedButStopAndKeepRequested, Lost }

/// <summary>
/// Every change of a job's state after it was queued. Each is one guarded UPDATE that names the state and the fencing token it expects,
/// so two workers, a worker and a sweep, or a worker that was given up for dead and comes back can never both win.
/// </summary>
public sealed class JobTransitions(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    /// <summary>Takes the oldest job that is due and fits, or null.</summary>
    public async Task<Job?> TryClaimAsync(WorkerOffer offer, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var due = await db.Jobs.AsNoTracking()
            .Where(j => j.State == JobState.Queued && j.Control != JobControl.Pause && (j.NotBefore == null || j.NotBefore <= now) && offer.Provides.Contains(j.Needs) && j.MemoryBytes <= offer.MemoryBytes)
            .OrderBy(j => j.CreatedAt).Select(j => new { j.Id, j.FencingToken, j.StageRunId }).Take(8).ToListAsync(ct);
        foreach (var candidate in due)
        {
            await using var transaction = await db.Database.BeginTransactionAsync(ct);
            // Whoever changes this row owns the job. The token grows in the same statement: an earlier owner's writes stop counting here.
            var claimed = await db.Jobs
                .Where(j => j.Id == candidate.Id && j.State == JobState.Queued && j.FencingToken == candidate.FencingToken)
                .ExecuteUpdateAsync(s => s
                    .SetProperty(j => j.State, JobState.Running).SetProperty(j => j.FencingToken, candidate.FencingToken + 1)
                    .SetProperty(j => j.Attempt, j => j.Attempt + 1).SetProperty(j => j.WorkerId, offer.WorkerId).SetProperty(j => j.WorkerName, offer.WorkerName)
                    .SetProperty(j => j.LeaseUntil, now + offer.Lease).SetProperty(j => j.StartedAt, now).SetProperty(j => j.EndedAt, (DateTimeOffset?)null)
                    .SetProperty(j => j.Error, (string?)null).SetProperty(j => j.Progress, 0).SetProperty(j => j.ProgressText, (string?)null), ct);
            if (claimed == 0)
                continue;
            await db.StageRuns.Where(s => s.JobId == candidate.Id && s.State == StageState.Queued)
                .ExecuteUpdateAsync(s => s.SetProperty(x => x.State, StageState.Running).SetProperty(x => x.StartedAt, now).SetProperty(x => x.Error, (string?)null), ct);
            await transaction.CommitAsync(ct);
            return await db.Jobs.AsNoTracking().SingleAsync(j => j.Id == candidate.Id, ct);
        }
        return null;
    }

    /// <summary>The heartbeat: keeps the lease and stores how far the work is.</summary>
    public async Task<LeaseAnswer> RenewAsync(Job job, TimeSpan lease, double progress, string? text, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var until = time.GetUtcNow() + lease;
        var renewed = await Owned(db, job).ExecuteUpdateAsync(s => s
            .SetProperty(j => j.LeaseUntil, until).SetProperty(j => j.Progress, progress).SetProperty(j => j.ProgressText, text), ct);
        if (renewed == 0)
            return LeaseAnswer.Lost;
        var asked = await db.Jobs.Where(j => j.Id == job.Id).Select(j => new { j.CancelRequested, j.Control }).SingleAsync(ct);
        return asked switch
        {
            { CancelRequested: true } => LeaseAnswer.RenewedButCancelRequested,
            { Control: JobControl.Pause } => LeaseAnswer.RenewedButPauseRequested,
            { Control: JobControl.StopAndKeep } => LeaseAnswer.RenewedButStopAndKeepRequested,
            _ => LeaseAnswer.Renewed,
        };
    }

    /// <summary>The process is stopping, or the world broke: the work is not lost, it waits for the next worker.</summary>
    /// <param name="countAttempt">False for an orderly stop: restarting a server often must not use up a long job's attempts.</param>
    public Task RequeueAsync(Job job, TimeSpan? delay, string? reason, bool countAttempt = true, CancellationToken ct = default) =>
        EndAttemptAsync(job, JobState.Queued, StageState.Queued, reason, time.GetUtcNow() + (delay ?? TimeSpan.Zero), ct, countAttempt ? 0 : 1);

    public Task FailAsync(Job job, string error, CancellationToken ct = default) =>
        EndAttemptAsync(job, JobState.Failed, StageState.Failed, error, null, ct);

    public Task CancelledAsync(Job job, CancellationToken ct = default) =>
        EndAttemptAsync(job, JobState.Cancelled, StageState.Cancelled, "Cancelled on request.", null, ct);

    /// <summary>Gives jobs back whose worker stopped answering. A job that has used up its attempts fails and says so.</summary>
    public async Task<int> SweepStaleLeasesAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var stale = await db.Jobs.AsNoTracking().Where(j => j.State == JobState.Running && j.LeaseUntil < now).ToListAsync(ct);
        await GiveBackAsync(stale, ct);
        return stale.Count;
    }

    /// <summary>
    /// For the single-process profile: whoever holds the data folder's lock knows that the workers that used it before are dead, and need
    /// not wait for their leases to run out.
    /// </summary>
    public async Task<int> GiveBackJobsOfDataFolderAsync(string dataFolder, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var dead = await db.Workers.Where(w => w.DataFolder == dataFolder && w.StoppedAt == null).Select(w => w.Id).ToListAsync(ct);
        var orphans = await db.Jobs.AsNoTracking().Where(j => j.State == JobState.Running && j.WorkerId != null && dead.Contains(j.WorkerId.Value)).ToListAsync(ct);
        await GiveBackAsync(orphans, ct);
        var now = time.GetUtcNow();
        await db.Workers.Where(w => dead.Contains(w.Id)).ExecuteUpdateAsync(s => s.SetProperty(w => w.StoppedAt, now), ct);
        return orphans.Count;
    }

    private async Task GiveBackAsync(IEnumerable<Job> jobs, CancellationToken ct)
    {
        foreach (var job in jobs)
        {
            if (job.CancelRequested)
                await CancelledAsync(job, ct);
            else if (job.Attempt >= job.MaxAttempts)
                await FailAsync(job, $"The worker {job.WorkerName} stopped answering during attempt {job.Attempt} of {job.MaxAttempts}. See the log for what it did last, then retry the stage.", ct);
            else
                await RequeueAsync(job, null, $"The worker {job.WorkerName} stopped answering; queued again.", ct: ct);
        }
    }

    private async Task EndAttemptAsync(Job job, JobState state, StageState stage, string? error, DateTimeOffset? notBefore, CancellationToken ct, int attemptsBack = 0)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        var now = time.GetUtcNow();
        var changed = await Owned(db, job).ExecuteUpdateAsync(s => s
            .SetProperty(j => j.State, state).SetProperty(j => j.Error, error).SetProperty(j => j.NotBefore, notBefore).SetProperty(j => j.Attempt, j => j.Attempt - attemptsBack)
            .SetProperty(j => j.LeaseUntil, (DateTimeOffset?)null).SetProperty(j => j.EndedAt, state == JobState.Queued ? null : now), ct);
        if (changed == 0)
            return;      // somebody else owns the job by now: what became of it is theirs to say
        await db.StageRuns.Where(s => s.JobId == job.Id && s.State == StageState.Running)
            .ExecuteUpdateAsync(s => s.SetProperty(x => x.State, stage).SetProperty(x => x.Error, state == JobState.Queued ? null : error)
                .SetProperty(x => x.EndedAt, state == JobState.Queued ? null : now), ct);
        if (state == JobState.Failed)
        {
            await db.AnnounceJobFailedAsync(job, error, now, ct);
            await db.SaveChangesAsync(ct);
        }
        await transaction.CommitAsync(ct);
    }

    private static IQueryable<Job> Owned(LlmOpsDb db, Job job) =>
        db.Jobs.Where(j => j.Id == job.Id && j.State == JobState.Running && j.FencingToken == job.FencingToken);
}
