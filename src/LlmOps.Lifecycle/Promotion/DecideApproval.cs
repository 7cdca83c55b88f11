using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>
/// One more person's word. With the last signature that is needed, the alias, the request, the stage and the audit entry change in one
/// transaction. Before each signature the evidence is gathered again: when it differs, the request is void.
/// </summary>
public sealed class DecideApproval(IDbContextFactory<LlmOpsDb> dbs, GatherEvidence gather, AttestPromotion attest, AdvancePipelines advance, Hints hints, TimeProvider time)
{
    /// <summary>Why this actor may not sign in their own name, or null when they may. Lists show it; the decision enforces it.</summary>
    public static string? Objection(ApprovalRequest request, Actor actor, DateTimeOffset now) => SigningRight.Of(request, actor, now, SigningContext.None).Objection;

    public Task ApproveAsync(Guid id, string comment, Actor actor, CancellationToken ct = default) => ApproveAsync(id, comment, null, actor, ct);

    /// <param name="evidenceDigest">The digest of the evidence that was read; null for that of the request.</param>
    public async Task ApproveAsync(Guid id, string comment, string? evidenceDigest, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var (request, right, signatures) = await OpenAsync(db, id, evidenceDigest, actor, now, ct);
        // Read before the evidence is compared: whoever moves it after this is found by its revision when this is saved.
        var alias = await db.Aliases.SingleOrDefaultAsync(a => a.ModelId == request.ModelId && a.Name == request.AliasName, ct);
        if (await gather.ChangesAsync(db, request, ct) is { Count: > 0 } changes)
        {
            await ApprovalEnd.VoidAsync(db, request, changes, now, ct);
            await ApprovalEnd.SaveAsync(db, ct);
            await ApprovalEnd.AnnounceAsync(db, request, advance, hints, ct);
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"This request is void, because the evidence changed since it was made: {request.VoidedReason}. Ask for a new request.");
        }
        await SignAsync(db, request, right, SignatureDecision.Approve, comment, actor, now, ct);
        var count = signatures.Count(s => s.Decision == SignatureDecision.Approve && s.EvidenceDigest == request.EvidenceDigest) + 1;
        if (count >= request.RequiredApprovals)
        {
            await CloseAsync(db, request, ApprovalState.Approved, comment, actor, now, ct);
            await MoveAlias.ApplyAsync(db, alias, request, actor, now, ct);
            await attest.AddAsync(db, request, now, ct);
            await ApprovalEnd.FinishStageAsync(db, request, null, now, ct);
        }
        else
            db.Record(actor, "sign", "approval", id, now, null, new { signatures = count, of = request.RequiredApprovals, comment, request.EvidenceDigest, in_place_of = right.InPlaceOf?.FromName });
        await ApprovalEnd.SaveAsync(db, ct);
        await ApprovalEnd.AnnounceAsync(db, request, advance, hints, ct);
    }

    public async Task RejectAsync(Guid id, string comment, Actor actor, CancellationToken ct = default)
    {
        if (string.IsNullOrWhiteSpace(comment))
            throw LlmOpsException.Invalid("Say in a comment why it is rejected: the person who asked needs to know what to change.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var (request, right, _) = await OpenAsync(db, id, null, actor, now, ct);
        await SignAsync(db, request, right, SignatureDecision.Reject, comment, actor, now, ct);
        await CloseAsync(db, request, ApprovalState.Rejected, comment, actor, now, ct);
        await ApprovalEnd.FinishStageAsync(db, request, $"Rejected by {actor.Name}: {comment}", now, ct);
        await ApprovalEnd.SaveAsync(db, ct);
        await ApprovalEnd.AnnounceAsync(db, request, advance, hints, ct);
    }

    private static async Task<(ApprovalRequest Request, SigningRight Right, IReadOnlyList<ApprovalSignature> Signatures)> OpenAsync(LlmOpsDb db, Guid id, string? digest, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        actor.Require(Permission.Read);
        var request = await db.Approvals.SingleOrDefaultAsync(a => a.Id == id, ct) ?? throw LlmOpsException.NotFound("Approval", id);
        var context = await SigningContext.LoadAsync(db, request, actor, ct);
        var right = SigningRight.Of(request, actor, now, context);
        if (right.Objection is { } objection)
            throw new LlmOpsException(right.Denied ? ErrorCode.PermissionDenied : ErrorCode.ResourceConflict, objection);
        // A signature for other evidence, kept from an earlier request or made on a page that is out of date, is no signature for this.
        if (digest is not null && digest != request.EvidenceDigest)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"You sign the evidence {digest[..Math.Min(12, digest.Length)]}…, and this request is about {request.EvidenceDigest[..12]}…. Read the request again.");
        return (request, right, context.Signatures);
    }

    private static async Task SignAsync(LlmOpsDb db, ApprovalRequest request, SigningRight right, SignatureDecision decision, string comment, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        // Also two signatures in one moment exclude each other here, so that the last one sees all others.
        request.Revision++;
        var signature = new ApprovalSignature
        {
            ApprovalId = request.Id, PersonId = actor.Id, PersonName = actor.Name, OnBehalfOfId = right.InPlaceOf?.FromId, OnBehalfOf = right.InPlaceOf?.FromName,
            Decision = decision, EvidenceDigest = request.EvidenceDigest, Comment = comment, At = now,
        };
        db.ApprovalSignatures.Add(signature);
        await db.AnnounceApprovalAsync(WebhookEvents.ApprovalSigned, request, signature, now, ct);
    }

    private static async Task CloseAsync(LlmOpsDb db, ApprovalRequest request, ApprovalState state, string comment, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        request.State = state;
        request.DecidedById = actor.Id;
        request.DecidedBy = actor.Name;
        request.DecidedAt = now;
        request.Comment = comment;
        db.Record(actor, state == ApprovalState.Approved ? "approve" : "reject", "approval", request.Id, now,
            new { state = ApprovalState.WaitingForApproval }, new { state, comment, request.EvidenceDigest });
        await db.AnnounceApprovalAsync(WebhookEvents.ApprovalClosed, request, null, now, ct);
    }
}
