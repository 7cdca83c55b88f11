using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>
/// What a person does to a training that is under way, besides cancelling it. Each is a word on the job's row; the worker that owns the job reads it with its
/// next heartbeat, and a job that nobody owns is claimed or left alone because of it.
/// </summary>
public sealed class ControlTraining(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    /// <summary>A checkpoint is written and the worker becomes free; nothing happens until somebody resumes.</summary>
    public Task PauseAsync(Guid runId, Actor actor, CancellationToken ct = default) => AskAsync(runId, "pause", JobControl.Pause, Pausing, actor, ct);

    /// <summary>Takes a pause back: the training goes on from the checkpoint that it wrote.</summary>
    public Task ResumeAsync(Guid runId, Actor actor, CancellationToken ct = default) => AskAsync(runId, "resume", "", Resuming, actor, ct);

    /// <summary>The training ends as if this had been its last step: the weights so far become the version.</summary>
    public Task StopAndKeepAsync(Guid runId, Actor actor, CancellationToken ct = default) => AskAsync(runId, "stop-and-keep", JobControl.StopAndKeep, Stopping, actor, ct);

    /// <summary>What speaks against pausing, in words; null when nothing does.</summary>
    public static string? Pausing(JobState state, string control, int attempt) => Ended(state) ?? control switch
    {
        JobControl.Pause => "It is paused already.",
        JobControl.StopAndKeep => "It is about to end and keep its weights.",
        _ => null,
    };

    /// <summary>What speaks against resuming.</summary>
    public static string? Resuming(JobState state, string control, int attempt) => Ended(state) ?? (control == JobControl.Pause ? null : "It is not paused.");

    /// <summary>What speaks against ending now and keeping the weights.</summary>
    public static string? Stopping(JobState state, string control, int attempt) => Ended(state) ?? (control == JobControl.StopAndKeep ? "It is about to end and keep its weights."
        : attempt == 0 ? "It has not begun, so there are no weights to keep. Cancel it instead." : null);

    private static string? Ended(JobState state) => state is JobState.Queued or JobState.Running ? null : $"It is over: {state}.";

    private async Task AskAsync(Guid runId, string action, string word, Func<JobState, string, int, string?> objection, Actor actor, CancellationToken ct)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await db.Runs.AsNoTracking().Where(r => r.Id == runId).Select(r => new { r.Name, r.JobId }).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Run", runId);
        var job = run.JobId is null ? null : await db.Jobs.SingleOrDefaultAsync(j => j.Id == run.JobId, ct);
        if (job is null || StageKinds.Find(job.Kind)?.Group != "train")
            throw LlmOpsException.Invalid($"The run {run.Name} is no training of this product, so there is nothing to {action}.");
        if (objection(job.State, job.Control, job.Attempt) is { } why)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The run {run.Name} cannot be asked to {action}. {why}");
        var before = job.Control;
        job.Control = word;
        db.Record(actor, action, "run", runId, time.GetUtcNow(), new { control = before }, new { control = word, job = job.Id });
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateConcurrencyException e)
        {
            throw new LlmOpsException(ErrorCode.ResourceConflict, "The training changed in this moment. Look at it again, then repeat.", e);
        }
        // Wakes the heartbeat of the worker that owns the job, or a worker that may claim it now.
        if (job.State == JobState.Running)
            await hints.CancelJobAsync(job.Id);
        else if (word != JobControl.Pause)
            await hints.JobReadyAsync(job.Id, job.Needs);
        await hints.ChangedAsync(Areas.Run, runId);
        await hints.ChangedAsync(Areas.Job, job.Id);
    }
}
