using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>The person who asked takes the request back. Signatures that it has are kept as history and move nothing.</summary>
public sealed class WithdrawApproval(IDbContextFactory<LlmOpsDb> dbs, AdvancePipelines advance, Hints hints, TimeProvider time)
{
    public async Task WithdrawAsync(Guid id, string reason, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var request = await db.Approvals.SingleOrDefaultAsync(a => a.Id == id, ct) ?? throw LlmOpsException.NotFound("Approval", id);
        if (actor.Id != request.RequestedById)
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"Only {request.RequestedBy}, who asked, can withdraw this. Reject it instead.");
        if (request.State != ApprovalState.WaitingForApproval)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"This request is {request.State} already.");
        request.State = ApprovalState.Withdrawn;
        request.Comment = string.IsNullOrWhiteSpace(reason) ? null : reason.Trim();
        request.DecidedById = actor.Id;
        request.DecidedBy = actor.Name;
        request.DecidedAt = now;
        request.Revision++;
        db.Record(actor, "withdraw", "approval", id, now, new { state = ApprovalState.WaitingForApproval }, new { request.State, request.Comment });
        await db.AnnounceApprovalAsync(WebhookEvents.ApprovalClosed, request, null, now, ct);
        await ApprovalEnd.FinishStageAsync(db, request, $"Withdrawn by {actor.Name}. Re-run this stage to ask again.", now, ct);
        await ApprovalEnd.SaveAsync(db, ct);
        await ApprovalEnd.AnnounceAsync(db, request, advance, hints, ct);
    }
}
