using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Pipelines;

/// <summary>What people do to a run: each is an edit of rows, nothing is torn down.</summary>
public sealed class ControlPipeline(IDbContextFactory<LlmOpsDb> dbs, AdvancePipelines advance, Hints hints, TimeProvider time)
{
    /// <summary>Stages that wait are cancelled at once; those that run are asked to stop and keep what they finished.</summary>
    public async Task CancelAsync(Guid runId, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await LoadAsync(db, runId, ct);
        if (run.IsOver)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{run.Name} #{run.Number} is {run.State}: there is nothing left to cancel.");
        var now = time.GetUtcNow();
        var jobIds = run.Stages.Where(s => !s.IsOver && s.JobId is not null).Select(s => s.JobId!.Value).ToList();
        var jobs = await db.Jobs.Where(j => jobIds.Contains(j.Id)).ToListAsync(ct);
        foreach (var job in jobs.Where(j => !j.IsOver))
        {
            job.CancelRequested = true;
            if (job.State != JobState.Queued)
                continue;
            job.State = JobState.Cancelled;
            job.FencingToken++;      // a worker that claims it in this moment loses
            job.EndedAt = now;
            foreach (var paused in await db.Runs.Where(r => r.JobId == job.Id && r.State == RunState.Running).ToListAsync(ct))
                (paused.State, paused.EndedAt) = (RunState.Cancelled, now);
        }
        foreach (var stage in run.Stages.Where(s => s.State is StageState.Pending or StageState.Queued or StageState.WaitingForApproval))
        {
            stage.State = StageState.Cancelled;
            stage.EndedAt = now;
        }
        var stageIds = run.Stages.Select(s => s.Id).ToList();
        foreach (var request in await db.Approvals.Where(a => a.StageRunId != null && stageIds.Contains(a.StageRunId.Value) && a.State == ApprovalState.WaitingForApproval).ToListAsync(ct))
        {
            request.State = ApprovalState.Withdrawn;
            request.Comment = $"The pipeline run was cancelled by {actor.Name}.";
            request.Revision++;
        }
        db.Record(actor, "cancel", "pipeline-run", runId, now, new { run.State });
        await SaveAsync(db, ct);
        foreach (var job in jobs.Where(j => j.State == JobState.Running))
            await hints.CancelJobAsync(job.Id);
        await advance.AdvanceAsync(runId, ct);
        await hints.ChangedAsync(Areas.Pipeline, runId);
    }

    /// <summary>Runs one stage and everything after it again. What the earlier round made stays where it is.</summary>
    public async Task RerunFromAsync(Guid runId, string stageName, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await LoadAsync(db, runId, ct);
        var first = Stage(run, stageName);
        if (first.State == StageState.Pending)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{stageName} has not run yet.");
        var names = StageGraph.WithDownstream(run.Stages, first.Name);
        var stages = run.Stages.Where(s => names.Contains(s.Name)).ToList();
        if (stages.Any(s => s.State is StageState.Running or StageState.Queued))
            throw new LlmOpsException(ErrorCode.ResourceConflict, "A stage that would run again is still running. Cancel the run or wait, then try again.");
        if (stages.FirstOrDefault(s => s.State == StageState.WaitingForApproval) is { } waiting)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{waiting.Name} waits for an approval that would lose its evidence. Reject the approval first.");
        foreach (var stage in stages)
            Reset(stage);
        run.State = PipelineState.Running;
        run.EndedAt = null;
        db.Record(actor, "re-run-from", "pipeline-run", runId, time.GetUtcNow(), after: new { stage = stageName });
        await SaveAsync(db, ct);
        await advance.AdvanceAsync(runId, ct);
        await hints.ChangedAsync(Areas.Pipeline, runId);
    }

    /// <summary>Goes on where a run stopped: failed and cancelled stages run again, finished ones keep their results.</summary>
    public async Task ResumeAsync(Guid runId, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await LoadAsync(db, runId, ct);
        var stopped = run.Stages.Where(s => s.State is StageState.Failed or StageState.Cancelled).ToList();
        if (stopped.Count == 0)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{run.Name} #{run.Number} has no failed or cancelled stage to run again.");
        foreach (var stage in stopped)
            Reset(stage);
        run.State = PipelineState.Running;
        run.EndedAt = null;
        db.Record(actor, "resume", "pipeline-run", runId, time.GetUtcNow(), after: new { stages = stopped.Select(s => s.Name) });
        await SaveAsync(db, ct);
        await advance.AdvanceAsync(runId, ct);
        await hints.ChangedAsync(Areas.Pipeline, runId);
    }

    private static void Reset(StageRun stage)
    {
        stage.State = StageState.Pending;
        stage.Round++;
        stage.JobId = null;
        stage.OutputsJson = null;
        stage.Error = null;
        stage.StartedAt = stage.EndedAt = null;
    }

    /// <summary>A person vouches for a failed stage. The outputs that later stages refer to have to be given.</summary>
    public async Task MarkSucceededAsync(Guid runId, string stageName, Dictionary<string, string> outputs, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await LoadAsync(db, runId, ct);
        var stage = Stage(run, stageName);
        var kind = StageKinds.Get(stage.Kind);
        // A gate or an approval that could be waved through here would be no gate.
        if (kind.IsHuman || kind.Name == "gate")
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"A {kind.Name} stage cannot be marked as succeeded: change the rules and re-run it instead.");
        if (stage.State is not (StageState.Failed or StageState.Cancelled))
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{stageName} is {stage.State}; only a failed or cancelled stage can be marked.");
        var missing = kind.Outputs.Where(o => !outputs.ContainsKey(o) && run.Stages.Any(s => s.ParametersJson.Contains($"${{{stageName}.{o}}}", StringComparison.Ordinal))).ToList();
        if (missing.Count > 0)
            throw LlmOpsException.Invalid($"Later stages need these outputs of {stageName}: {string.Join(", ", missing)}. Give a value for each.");
        stage.State = StageState.Succeeded;
        stage.OutputsJson = Json.Write(outputs);
        stage.Error = $"Marked as succeeded by {actor.Name}.";
        run.State = PipelineState.Running;
        run.EndedAt = null;
        db.Record(actor, "mark-succeeded", "pipeline-run", runId, time.GetUtcNow(), after: new { stage = stageName, outputs });
        await SaveAsync(db, ct);
        await advance.AdvanceAsync(runId, ct);
        await hints.ChangedAsync(Areas.Pipeline, runId);
    }

    private static StageRun Stage(PipelineRun run, string name) =>
        run.Stages.FirstOrDefault(s => s.Name == name) ?? throw LlmOpsException.NotFound("Stage", name);

    private static async Task<PipelineRun> LoadAsync(LlmOpsDb db, Guid id, CancellationToken ct) =>
        await db.PipelineRuns.Include(r => r.Stages).SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Pipeline run", id);

    private static async Task SaveAsync(LlmOpsDb db, CancellationToken ct)
    {
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateConcurrencyException e)
        {
            throw new LlmOpsException(ErrorCode.ResourceConflict, "The run changed in this moment. Look at it again, then repeat.", e);
        }
    }
}
