using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>The second person's word. The alias, the request, the stage and the audit entry change in one transaction.</summary>
public sealed class DecideApproval(IDbContextFactory<LlmOpsDb> dbs, AdvancePipelines advance, Hints hints, TimeProvider time)
{
    /// <summary>Why this actor may not approve this request, or null when they may. The page shows it; the decision enforces it.</summary>
    public static string? Objection(ApprovalRequest request, Actor actor, DateTimeOffset now)
    {
        if (request.State != ApprovalState.WaitingForApproval)
            return $"This request is {request.State} already.";
        if (now > request.ExpiresAt)
            return "This request has expired. Ask for a new one, with fresh evidence.";
        if (!actor.May(Permission.Approve))
            return "Only a release manager or an administrator can decide.";
        return actor.Id == request.RequestedById ? "You asked for this promotion. A second person has to decide." : null;
    }

    public async Task ApproveAsync(Guid id, string comment, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var request = await DecideAsync(db, id, ApprovalState.Approved, comment, actor, now, ct);
        var alias = await db.Aliases.SingleOrDefaultAsync(a => a.ModelId == request.ModelId && a.Name == request.AliasName, ct);
        // Also a move to another variant of the same version, or away and back, makes the evidence's comparison an old one.
        if (alias?.VersionId != request.ExpectedVersionId
            || await db.AliasMoves.AnyAsync(m => m.ModelId == request.ModelId && m.Name == request.AliasName && m.At > request.CreatedAt, ct))
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"'{request.AliasName}' moved since this was requested, so the evidence compares with the wrong version. Ask for a new request.");
        // What is approved are bytes: a variant that was made again since the request is not what the evidence describes.
        var digest = await db.ModelVariants.Where(v => v.VersionId == request.VersionId && v.Name == request.VariantName).Select(v => v.ArtifactDigest).SingleOrDefaultAsync(ct);
        if (digest != Json.Read<Evidence>(request.EvidenceJson).VariantDigest)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The variant {request.VariantName} was made again since this was requested, so the evidence describes other bytes. Ask for a new request.");
        MoveAlias.Apply(db, alias, request.ModelId, request.AliasName, request.VersionId, request.VariantName, request.Id, actor, now);
        await FinishStageAsync(db, request, StageState.Succeeded, null, now, ct);
        await SaveAsync(db, ct);
        await AnnounceAsync(request, db, ct);
    }

    public async Task RejectAsync(Guid id, string comment, Actor actor, CancellationToken ct = default)
    {
        if (string.IsNullOrWhiteSpace(comment))
            throw LlmOpsException.Invalid("Say in a comment why it is rejected: the person who asked needs to know what to change.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var request = await DecideAsync(db, id, ApprovalState.Rejected, comment, actor, now, ct);
        await FinishStageAsync(db, request, StageState.Failed, $"Rejected by {actor.Name}: {comment}", now, ct);
        await SaveAsync(db, ct);
        await AnnounceAsync(request, db, ct);
    }

    private static async Task<ApprovalRequest> DecideAsync(LlmOpsDb db, Guid id, ApprovalState state, string comment, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        actor.Require(Permission.Approve);
        var request = await db.Approvals.SingleOrDefaultAsync(a => a.Id == id, ct) ?? throw LlmOpsException.NotFound("Approval", id);
        if (Objection(request, actor, now) is { } objection)
            throw new LlmOpsException(actor.Id == request.RequestedById ? ErrorCode.PermissionDenied : ErrorCode.ResourceConflict, objection);
        request.State = state;
        request.DecidedById = actor.Id;
        request.DecidedBy = actor.Name;
        request.DecidedAt = now;
        request.Comment = comment;
        request.Revision++;
        db.Record(actor, state == ApprovalState.Approved ? "approve" : "reject", "approval", id, now,
            new { state = ApprovalState.WaitingForApproval }, new { state, comment, request.EvidenceDigest });
        return request;
    }

    private static async Task FinishStageAsync(LlmOpsDb db, ApprovalRequest request, StageState state, string? error, DateTimeOffset now, CancellationToken ct)
    {
        if (request.StageRunId is not { } stageId)
            return;
        var stage = await db.StageRuns.SingleAsync(s => s.Id == stageId, ct);
        if (stage.State != StageState.WaitingForApproval)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The pipeline stage is {stage.State}; it no longer waits for this approval.");
        var version = await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == request.VersionId, ct);
        stage.State = state;
        stage.Error = error;
        stage.EndedAt = now;
        stage.OutputsJson = state == StageState.Succeeded
            ? Json.Write(new Dictionary<string, string> { ["version"] = version.Key().ToString(), ["variant"] = request.VariantName, ["approval"] = request.Id.ToString() })
            : null;
    }

    private static async Task SaveAsync(LlmOpsDb db, CancellationToken ct)
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

    private async Task AnnounceAsync(ApprovalRequest request, LlmOpsDb db, CancellationToken ct)
    {
        await hints.ChangedAsync(Areas.Approval, request.Id);
        if (request.StageRunId is { } stageId)
            await advance.AdvanceAsync(await db.StageRuns.Where(s => s.Id == stageId).Select(s => s.PipelineRunId).SingleAsync(ct), ct);
    }
}
