using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Closes requests that nobody decided in time, or whose evidence changed, and the stages that waited for them. Called by the clock.</summary>
public sealed class ExpireApprovals(IDbContextFactory<LlmOpsDb> dbs, GatherEvidence gather, AdvancePipelines advance, Hints hints, TimeProvider time)
{
    /// <summary>How many were closed.</summary>
    public async Task<int> ExpireAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var waiting = await db.Approvals.AsNoTracking().Where(a => a.State == ApprovalState.WaitingForApproval).OrderBy(a => a.ExpiresAt).Select(a => a.Id).ToListAsync(ct);
        var closed = 0;
        foreach (var id in waiting)
            if (await TryCloseAsync(id, now, ct))
                closed++;
        return closed;
    }

    private async Task<bool> TryCloseAsync(Guid id, DateTimeOffset now, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var request = await db.Approvals.SingleAsync(a => a.Id == id, ct);
        if (request.State != ApprovalState.WaitingForApproval)
            return false;
        try
        {
            if (request.ExpiresAt <= now)
                await ExpireAsync(db, request, now, ct);
            else if (await gather.ChangesAsync(db, request, ct) is { Count: > 0 } changes)
                await ApprovalEnd.VoidAsync(db, request, changes, now, ct);
            else
                return false;
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateConcurrencyException)
        {
            return false;      // somebody decided in this moment: their word counts
        }
        await ApprovalEnd.AnnounceAsync(db, request, advance, hints, ct);
        return true;
    }

    private static async Task ExpireAsync(LlmOpsDb db, ApprovalRequest request, DateTimeOffset now, CancellationToken ct)
    {
        request.State = ApprovalState.Expired;
        request.Revision++;
        db.Record(Actor.System, "expire", "approval", request.Id, now, new { state = ApprovalState.WaitingForApproval }, new { request.State });
        await db.AnnounceApprovalAsync(WebhookEvents.ApprovalClosed, request, null, now, ct);
        if (request.StageRunId is { } stageId && await db.StageRuns.AnyAsync(s => s.Id == stageId && s.State == StageState.WaitingForApproval, ct))
            await ApprovalEnd.FinishStageAsync(db, request, "Nobody decided in time. Re-run this stage to ask again, with fresh evidence.", now, ct);
    }
}
