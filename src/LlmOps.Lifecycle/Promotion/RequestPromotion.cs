using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>What is asked for.</summary>
/// <param name="Reason">Why; an override must say it.</param>
public sealed record PromotionOrder(string Version, string Variant, string Alias = "production", PromotionKind Kind = PromotionKind.Promotion, string? Reason = null, int ExpiresInDays = 14)
{
    internal static PromotionOrder Of(ApproveParameters stage) => new(stage.Version, stage.Variant, stage.Alias, ExpiresInDays: stage.ExpiresInDays);
}

/// <summary>Asks for an alias to move, and freezes the evidence that people will sign.</summary>
public sealed class RequestPromotion(IDbContextFactory<LlmOpsDb> dbs, GatherEvidence gather, Hints hints, TimeProvider time)
{
    public const int ShortestReason = 10;

    public Task<ApprovalRequest> RequestAsync(string version, string variant, string alias, Actor actor, CancellationToken ct = default) =>
        RequestAsync(new(version, variant, alias), actor, ct);

    public async Task<ApprovalRequest> RequestAsync(PromotionOrder order, Actor actor, CancellationToken ct = default)
    {
        // Whoever may decide may also ask, but then somebody else decides.
        if (order.Kind == PromotionKind.Promotion || !actor.May(Permission.Approve))
            actor.Require(order.Kind == PromotionKind.Override ? Permission.Approve : Permission.WriteModels);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var request = await PrepareAsync(db, gather, order, actor, null, now, ct);
        db.Approvals.Add(request);
        db.Record(actor, "request-promotion", "approval", request.Id, now, after: new { order.Version, order.Variant, order.Alias, order.Kind, order.Reason, request.EvidenceDigest });
        await db.AnnounceApprovalAsync(WebhookEvents.ApprovalRequested, request, null, now, ct);
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Approval, request.Id);
        return request;
    }

    internal static async Task<ApprovalRequest> PrepareAsync(LlmOpsDb db, GatherEvidence gather, PromotionOrder order, Actor actor, Guid? stageRunId, DateTimeOffset now, CancellationToken ct)
    {
        if (order.Kind == PromotionKind.Override && (order.Reason?.Trim().Length ?? 0) < ShortestReason)
            throw LlmOpsException.Invalid($"An override passes over the gate. Say why in at least {ShortestReason} characters; it stays beside the alias for everybody to read.");
        if (order.ExpiresInDays is < 1 or > 90)
            throw LlmOpsException.Invalid("A request lasts 1 to 90 days.");
        var version = await db.ModelVersions.GetAsync(VersionKey.ParseRegistered(order.Version), ct);
        var aliasName = AliasName.Parse(order.Alias);
        var evidence = await gather.GatherAsync(db, version, order.Variant, aliasName, ct);
        var environment = evidence.Environment!;
        if (order.Kind == PromotionKind.Promotion && environment.Shortfall(evidence.GateVerdict is { } v ? Enum.Parse<Verdict>(v) : null) is { } shortfall)
            throw new LlmOpsException(ErrorCode.ResourceConflict, shortfall);
        var holder = await db.Aliases.AsNoTracking().SingleOrDefaultAsync(a => a.ModelId == version.ModelId && a.Name == aliasName, ct);
        var text = CanonicalJson.Write(evidence);
        return new ApprovalRequest
        {
            ModelId = version.ModelId, VersionId = version.Id, VariantName = evidence.Variant, AliasName = aliasName, ExpectedVersionId = holder?.VersionId,
            State = ApprovalState.WaitingForApproval, EvidenceJson = text, EvidenceDigest = CanonicalJson.Digest(text), Kind = order.Kind, Reason = order.Reason?.Trim(),
            // A rollback goes to what was signed before, and an override is already two people: the one who asks and an administrator.
            RequiredApprovals = order.Kind == PromotionKind.Promotion ? environment.RequiredApprovals : 1,
            RequestedById = actor.Id, RequestedBy = actor.Name, CreatedAt = now, ExpiresAt = now.AddDays(order.ExpiresInDays), StageRunId = stageRunId,
        };
    }
}
