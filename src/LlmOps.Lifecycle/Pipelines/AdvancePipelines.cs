using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Pipelines;

/// <summary>
/// Queues the stages whose needs are met. Called after every stage that ends and by a sweep; calling it too often changes nothing,
/// not calling it (a crash between a stage's end and this) only waits for the sweep.
/// </summary>
public sealed class AdvancePipelines(IDbContextFactory<LlmOpsDb> dbs, GatherEvidence gather, Hints hints, TimeProvider time)
{
    public async Task AdvanceAllAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var open = await db.PipelineRuns.Where(r => r.State == PipelineState.Running || r.State == PipelineState.WaitingForApproval).Select(r => r.Id).ToListAsync(ct);
        foreach (var id in open)
            await AdvanceAsync(id, ct);
    }

    public async Task AdvanceAsync(Guid runId, CancellationToken ct = default)
    {
        var queued = await UniqueViolation.RetryAsync(() => TryAdvanceAsync(runId, ct));
        foreach (var job in queued)
            await hints.JobReadyAsync(job.Id, job.Needs);
        if (queued.Count > 0)
            await hints.ChangedAsync(Areas.Pipeline, runId);
    }

    private async Task<List<Job>> TryAdvanceAsync(Guid runId, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await db.PipelineRuns.Include(r => r.Stages).SingleOrDefaultAsync(r => r.Id == runId, ct);
        if (run is null)
            return [];
        var now = time.GetUtcNow();
        var jobs = new List<Job>();
        var changed = false;
        foreach (var stage in PipelineStates.Ready(run.Stages).ToList())
        {
            changed = true;
            if (await StartAsync(db, run, stage, now, ct) is { } job)
                jobs.Add(job);
        }
        var state = PipelineStates.Of(run.Stages);
        if (state != run.State)
        {
            changed = true;
            run.State = state;
            run.EndedAt = run.IsOver ? now : null;
        }
        // The state and round of each stage are concurrency tokens: a second process that advances the same run fails here and re-reads.
        if (changed)
            await db.SaveChangesAsync(ct);
        return jobs;
    }

    private async Task<Job?> StartAsync(LlmOpsDb db, PipelineRun run, StageRun stage, DateTimeOffset now, CancellationToken ct)
    {
        var actor = new Actor(run.CreatedById, run.CreatedBy, new HashSet<Permission>());
        try
        {
            var outputs = run.Stages.Where(s => s.OutputsJson is not null).ToDictionary(s => s.Name, s => Json.Read<Dictionary<string, string>>(s.OutputsJson!));
            var parameters = StageGraph.Resolve(stage.ParametersJson, outputs);
            var kind = StageKinds.Get(stage.Kind);
            stage.StartedAt = null;
            stage.EndedAt = null;
            stage.Error = null;
            if (kind.IsHuman)
            {
                var request = await RequestPromotion.PrepareAsync(db, gather, PromotionOrder.Of((ApproveParameters)StageFields.Bind(kind, parameters)), actor, stage.Id, now, ct);
                stage.State = StageState.WaitingForApproval;
                stage.StartedAt = now;
                db.Approvals.Add(request);
                db.Record(actor, "request-promotion", "approval", request.Id, now, after: new { stage = stage.Name, version = request.VersionId, variant = request.VariantName, alias = request.AliasName, request.EvidenceDigest });
                await db.AnnounceApprovalAsync(WebhookEvents.ApprovalRequested, request, null, now, ct);
                return null;
            }
            var job = Job.Queue(kind.Name, Json.Write(new StageSpec(run.Id, stage.Id, run.Name, stage.Name, run.Folder, parameters)), actor, now, stage.Id);
            stage.State = StageState.Queued;
            stage.JobId = job.Id;
            db.Jobs.Add(job);
            return job;
        }
        catch (LlmOpsException e)
        {
            stage.State = StageState.Failed;
            stage.Error = e.Message;
            stage.EndedAt = now;
            return null;
        }
    }
}

/// <summary>What a stage's job is given. Parameters are resolved: no reference is left in them.</summary>
public sealed record StageSpec(Guid PipelineRunId, Guid StageRunId, string PipelineName, string StageName, string Folder, string ParametersJson)
{
    public T Parameters<T>() where T : StageParameters => Json.Read<T>(ParametersJson);
}
