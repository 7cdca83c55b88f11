using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Closes requests that nobody decided in time, and the stages that waited for them. Called by the clock.</summary>
public sealed class ExpireApprovals(IDbContextFactory<LlmOpsDb> dbs, AdvancePipelines advance, Hints hints, TimeProvider time)
{
    public async Task<int> ExpireAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var due = await db.Approvals.AsNoTracking().Where(a => a.State == ApprovalState.WaitingForApproval && a.ExpiresAt < now).Select(a => a.Id).ToListAsync(ct);
        var expired = 0;
        foreach (var id in due)
            if (await TryExpireAsync(id, now, ct))
                expired++;
        return expired;
    }

    private async Task<bool> TryExpireAsync(Guid id, DateTimeOffset now, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var request = await db.Approvals.SingleAsync(a => a.Id == id, ct);
        if (request.State != ApprovalState.WaitingForApproval)
            return false;
        request.State = ApprovalState.Expired;
        request.Revision++;
        var stage = request.StageRunId is { } stageId ? await db.StageRuns.SingleAsync(s => s.Id == stageId, ct) : null;
        if (stage is { State: StageState.WaitingForApproval })
        {
            stage.State = StageState.Failed;
            stage.Error = "Nobody decided in time. Re-run this stage to ask again, with fresh evidence.";
            stage.EndedAt = now;
        }
        db.Record(Actor.System, "expire", "approval", id, now, new { state = ApprovalState.WaitingForApproval }, new { request.State });
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateConcurrencyException)
        {
            return false;      // somebody decided in this moment: their word counts
        }
        await hints.ChangedAsync(Areas.Approval, id);
        if (stage is not null)
            await advance.AdvanceAsync(stage.PipelineRunId, ct);
        return true;
    }
}
