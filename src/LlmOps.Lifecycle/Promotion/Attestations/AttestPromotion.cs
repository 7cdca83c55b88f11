using System.Security.Cryptography;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion.Attestations;

/// <summary>Signs what a promotion did, inside the transaction that does it: no alias moves without its statement, and there is no statement about a move that did not happen.</summary>
public sealed class AttestPromotion(ArtifactStore artifacts, AttestationKeys keys)
{
    internal const string AuditAction = "attest";

    /// <summary>Call after <see cref="MoveAlias.ApplyAsync"/> and before saving.</summary>
    internal async Task AddAsync(LlmOpsDb db, ApprovalRequest request, DateTimeOffset now, CancellationToken ct)
    {
        try
        {
            using var key = await keys.InForceAsync(db, now, ct);
            var statement = await StatementAsync(db, request, now, ct);
            var envelope = Envelope.Sign(statement.Write(), key);
            var made = new Attestation { ApprovalId = request.Id, SubjectDigest = statement.Predicate.VariantDigest, EnvelopeJson = envelope.Write(), KeyId = Envelope.KeyIdOf(key), At = now };
            db.Attestations.Add(made);
            db.Record(Actor.System, AuditAction, "approval", request.Id, now, after: new { statement = envelope.StatementDigest(), made.KeyId });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or LlmOpsException)
        {
            // A path is nobody's business but the administrator's.
            var why = e is LlmOpsException ? e.Message : "The signing key or a file of the artifact store cannot be read or written. Look at the disk of the data folder and at who may write there.";
            throw new LlmOpsException(ErrorCode.TemporarilyUnavailable, $"The alias did not move, because the promotion could not be signed. {why}", e);
        }
    }

    private async Task<PromotionStatement> StatementAsync(LlmOpsDb db, ApprovalRequest request, DateTimeOffset now, CancellationToken ct)
    {
        var evidence = Json.Read<Evidence>(request.EvidenceJson);
        var version = await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == request.VersionId, ct);
        var variant = await db.ModelVariants.AsNoTracking().SingleAsync(v => v.VersionId == request.VersionId && v.Name == request.VariantName, ct);
        // The evidence was compared a moment ago; whoever replaced the bytes since then must not get people's signatures for them.
        if (version.ArtifactDigest != evidence.VersionDigest || variant.ArtifactDigest != evidence.VariantDigest)
            throw LlmOpsException.Invalid($"{version.Key()} {variant.Name} has other bytes than the evidence that was signed. Ask for a new request.");
        var revision = db.Aliases.Local.Single(a => a.ModelId == request.ModelId && a.Name == request.AliasName).Revision;
        Guid[] runs = [.. new[] { evidence.EvaluationRunId, evidence.ChampionRunId }.Concat((evidence.Runs ?? []).SelectMany(r => new[] { r.RunId, r.ChampionRunId })).OfType<Guid>().Distinct()];
        var head = await db.AuditHeads.AsNoTracking().SingleOrDefaultAsync(ct);
        var predicate = new PromotionPredicate(version.Model!.Name, version.Key().ToString(), version.ArtifactDigest, variant.Name, variant.ArtifactDigest, request.AliasName, revision,
            request.Kind.ToString(), request.Kind == PromotionKind.Override, request.Reason, evidence.Champion is { } champion ? $"{champion} {evidence.ChampionVariant}".TrimEnd() : null,
            request.EvidenceDigest, request.Id.ToString(), new(request.RequestedById, request.RequestedBy, Utc(request.CreatedAt)), await SignersAsync(db, request, ct),
            evidence.Environment is { } e ? new(request.RequiredApprovals, e.Roles, e.MinimumVerdict?.ToString()) : null,
            evidence.GateVerdict is { } verdict ? new(verdict, evidence.GateDecisionId, evidence.PolicyDigest) : null,
            [.. (evidence.Datasets ?? []).Select(d => new StatementInput(d.Key, d.Digest))], await EvaluationDataAsync(db, runs, ct), runs,
            await PreviousAsync(db, request, ct), head is { Sequence: > 0 } ? new AuditHeadNote(head.Sequence, head.Hash).ToString() : null, Utc(now));
        return PromotionStatement.Of([.. await FilesAsync(variant.Name, variant.ArtifactDigest, ct), .. await FilesAsync(PromotionStatement.Checkpoint, version.ArtifactDigest, ct),
            StatementSubject.Of(PromotionStatement.Bundle, request.EvidenceDigest)], predicate);
    }

    /// <summary>The list of files is itself named by its digest, so a list that somebody edited is found before it is signed.</summary>
    private async Task<IEnumerable<StatementSubject>> FilesAsync(string form, string digest, CancellationToken ct)
    {
        var manifest = await artifacts.VerifiedManifestAsync(digest, ct);
        return manifest.Files.Select(f => StatementSubject.Of($"{form}/{f.Path}", f.Digest));
    }

    private static async Task<IReadOnlyList<StatementPerson>> SignersAsync(LlmOpsDb db, ApprovalRequest request, CancellationToken ct)
    {
        var earlier = await db.ApprovalSignatures.AsNoTracking().Where(s => s.ApprovalId == request.Id).ToListAsync(ct);
        // The last signature is not saved yet: it is part of what is being done.
        var all = earlier.Concat(db.ApprovalSignatures.Local.Where(s => s.ApprovalId == request.Id)).DistinctBy(s => s.Id);
        return [.. all.Where(s => s.Decision == SignatureDecision.Approve && s.EvidenceDigest == request.EvidenceDigest).OrderBy(s => s.At)
            .Select(s => new StatementPerson(s.PersonId, s.PersonName, Utc(s.At), s.OnBehalfOf, s.OnBehalfOfId))];
    }

    private static async Task<IReadOnlyList<StatementInput>> EvaluationDataAsync(LlmOpsDb db, Guid[] runs, CancellationToken ct)
    {
        var texts = await db.EvaluationRuns.AsNoTracking().Where(r => runs.Contains(r.Id)).Select(r => r.DatasetsJson).ToListAsync(ct);
        var named = texts.SelectMany(RunDetail.Datasets).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        var names = named.Select(k => k.Split('/')[0]).Distinct().ToList();
        var known = (await db.DatasetVersions.AsNoTracking().Where(v => names.Contains(v.Dataset!.Name)).Select(v => new { v.Dataset!.Name, v.Number, v.ArtifactDigest }).ToListAsync(ct))
            .ToDictionary(v => $"{v.Name}/{v.Number}", v => v.ArtifactDigest);
        return [.. named.Select(k => new StatementInput(k, known.GetValueOrDefault(k)))];
    }

    private static async Task<string?> PreviousAsync(LlmOpsDb db, ApprovalRequest request, CancellationToken ct)
    {
        var before = await db.AliasMoves.AsNoTracking().Where(m => m.ModelId == request.ModelId && m.Name == request.AliasName).OrderByDescending(m => m.Id).Select(m => m.ApprovalId).FirstOrDefaultAsync(ct);
        var envelope = before is null ? null : await db.Attestations.AsNoTracking().Where(a => a.ApprovalId == before).Select(a => a.EnvelopeJson).FirstOrDefaultAsync(ct);
        return envelope is null ? null : Envelope.Parse(envelope).StatementDigest();
    }

    private static DateTime Utc(DateTimeOffset time) => time.UtcDateTime;
}
