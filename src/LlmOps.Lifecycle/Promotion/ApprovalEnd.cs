using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>What every end of a request does alike: to the stage that waited for it, and to those who watch.</summary>
internal static class ApprovalEnd
{
    /// <summary>The stage goes on, or fails and says why.</summary>
    public static async Task FinishStageAsync(LlmOpsDb db, ApprovalRequest request, string? error, DateTimeOffset now, CancellationToken ct)
    {
        if (request.StageRunId is not { } stageId)
            return;
        var stage = await db.StageRuns.SingleAsync(s => s.Id == stageId, ct);
        if (stage.State != StageState.WaitingForApproval)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The pipeline stage is {stage.State}; it no longer waits for this approval.");
        stage.State = error is null ? StageState.Succeeded : StageState.Failed;
        stage.Error = error;
        stage.EndedAt = now;
        stage.OutputsJson = null;
        if (error is not null)
            return;
        var version = await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == request.VersionId, ct);
        stage.OutputsJson = Json.Write(new Dictionary<string, string> { ["version"] = version.Key().ToString(), ["variant"] = request.VariantName, ["approval"] = request.Id.ToString() });
    }

    /// <summary>The signatures no longer count: what they were given for is not what is there.</summary>
    public static async Task VoidAsync(LlmOpsDb db, ApprovalRequest request, IReadOnlyList<string> changes, DateTimeOffset now, CancellationToken ct)
    {
        var reason = string.Join("; ", changes);
        request.State = ApprovalState.Voided;
        request.VoidedReason = reason;
        request.Revision++;
        db.Record(Actor.System, "void", "approval", request.Id, now, new { state = ApprovalState.WaitingForApproval }, new { request.State, reason });
        await db.AnnounceApprovalAsync(WebhookEvents.ApprovalClosed, request, null, now, ct);
        if (await db.StageRuns.AnyAsync(s => s.Id == request.StageRunId && s.State == StageState.WaitingForApproval, ct))
            await FinishStageAsync(db, request, $"The evidence changed: {reason}. Re-run this stage to ask again.", now, ct);
    }

    public static async Task SaveAsync(LlmOpsDb db, CancellationToken ct)
    {
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateException e) when (e is DbUpdateConcurrencyException || e.IsUniqueViolation())
        {
            throw new LlmOpsException(ErrorCode.ResourceConflict, "Somebody else decided, or moved the alias, in this moment. Look at the request again.", e);
        }
    }

    public static async Task AnnounceAsync(LlmOpsDb db, ApprovalRequest request, AdvancePipelines advance, Hints hints, CancellationToken ct)
    {
        await hints.ChangedAsync(Areas.Approval, request.Id);
        if (request.StageRunId is { } stageId && request.State != ApprovalState.WaitingForApproval)
            await advance.AdvanceAsync(await db.StageRuns.Where(s => s.Id == stageId).Select(s => s.PipelineRunId).SingleAsync(ct), ct);
    }
}
