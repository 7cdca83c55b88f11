using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Says something about a request without deciding it.</summary>
public sealed class CommentOnApproval(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public const int LongestText = 4000;

    public async Task CommentAsync(Guid id, string text, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Annotate);
        if (text.Trim() is not { Length: > 0 and <= LongestText } said)
            throw LlmOpsException.Invalid($"A comment has 1 to {LongestText} characters.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        if (!await db.Approvals.AnyAsync(a => a.Id == id, ct))
            throw LlmOpsException.NotFound("Approval", id);
        db.ApprovalComments.Add(new ApprovalComment { ApprovalId = id, PersonId = actor.Id, PersonName = actor.Name, Text = said, At = now });
        db.Record(actor, "comment", "approval", id, now, after: new { text = said });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Approval, id);
    }
}
