using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Jobs;

public sealed class CancelJobUseCase(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    /// <summary>A queued job ends at once; a running one is asked to stop and keeps what it finished.</summary>
    public async Task CancelAsync(Guid jobId, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var job = await db.Jobs.SingleOrDefaultAsync(j => j.Id == jobId, ct) ?? throw LlmOpsException.NotFound("Job", jobId);
        if (job.IsOver)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"This job is {job.State} already.");
        var now = time.GetUtcNow();
        job.CancelRequested = true;
        if (job.State == JobState.Queued)
        {
            job.State = JobState.Cancelled;
            job.FencingToken++;      // a worker that claims it in this moment loses
            job.EndedAt = now;
            if (await db.StageRuns.SingleOrDefaultAsync(s => s.JobId == jobId, ct) is { } stage)
            {
                stage.State = StageState.Cancelled;
                stage.EndedAt = now;
            }
            // A training that was paused has a run that no worker will end.
            foreach (var run in await db.Runs.Where(r => r.JobId == jobId && r.State == RunState.Running).ToListAsync(ct))
                (run.State, run.EndedAt) = (RunState.Cancelled, now);
        }
        db.Record(actor, "cancel", "job", jobId, now);
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateConcurrencyException e)
        {
            throw new LlmOpsException(ErrorCode.ResourceConflict, "The job changed in this moment. Look at it again, then repeat.", e);
        }
        await hints.CancelJobAsync(jobId);
        await hints.ChangedAsync(Areas.Job, jobId);
    }
}
