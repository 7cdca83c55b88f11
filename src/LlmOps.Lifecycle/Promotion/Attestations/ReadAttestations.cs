using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion.Attestations;

/// <param name="StatementDigest">SHA-256 of what was signed.</param>
public sealed record AttestationRow(Guid ApprovalId, string Model, int Number, string Variant, string Alias, PromotionKind Kind, string StatementDigest, string KeyId, DateTimeOffset At)
{
    public string Version => $"{Model}/{Number}";
    /// <summary>Name for a download.</summary>
    public string FileName => $"{Model}-{Number}-{Variant}-{Alias}.attestation.json";
}

/// <param name="EnvelopeJson">The envelope as it was written.</param>
/// <param name="Mismatches">What of the records is no longer as it was signed; empty when all is.</param>
public sealed record AttestationDetail(AttestationRow Row, string EnvelopeJson, PromotionStatement? Statement, IReadOnlyList<string> Mismatches);

/// <param name="IsSuspicious">There was one, and it is gone.</param>
public sealed record AttestationAbsence(string Words, bool IsSuspicious);

/// <summary>Statements about promotions, and the public keys that they are checked with.</summary>
public sealed class ReadAttestations(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts)
{
    /// <summary>Null when the request moved nothing, or moved it before statements were signed.</summary>
    public async Task<AttestationDetail?> FindAsync(Guid approval, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await Rows(db).Where(r => r.ApprovalId == approval).FirstOrDefaultAsync(ct) is { } stored ? await CheckAsync(db, stored, ct) : null;
    }

    public async Task<AttestationDetail> GetAsync(Guid approval, CancellationToken ct = default)
    {
        if (await FindAsync(approval, ct) is { } found)
            return found;
        throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, (await AbsenceAsync(approval, ct)).Words);
    }

    /// <summary>Why there is no statement. That one was signed is in the audit, so a statement that somebody deleted is missed.</summary>
    public async Task<AttestationAbsence> AbsenceAsync(Guid approval, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var state = await db.Approvals.Where(a => a.Id == approval).Select(a => (ApprovalState?)a.State).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Approval", approval);
        if (state != ApprovalState.Approved)
            return new($"This request is {state}: only a promotion that moved the alias has a signed statement.", false);
        var id = approval.ToString();
        return await db.Audit.AnyAsync(a => a.Subject == "approval" && a.SubjectId == id && a.Action == AttestPromotion.AuditAction, ct)
            ? new("A statement about this promotion was signed, as the audit says, and somebody has removed it from this registry.", true)
            : new("This promotion has no signed statement: it was decided before statements were signed.", false);
    }

    /// <summary>Newest first.</summary>
    public async Task<IReadOnlyList<AttestationRow>> OfVersionAsync(VersionKey key, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await db.ModelVersions.GetAsync(key, ct);
        return [.. (await Rows(db).Where(r => r.VersionId == version.Id).OrderByDescending(r => r.MoveId).ToListAsync(ct)).Select(Row)];
    }

    /// <summary>The envelopes of an alias, oldest first: each statement names the one before it.</summary>
    public async Task<IReadOnlyList<string>> HistoryAsync(string model, string alias, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (!await db.Models.AnyAsync(m => m.Name == model, ct))
            throw LlmOpsException.NotFound("Model", model);
        return await Rows(db).Where(r => r.Model == model && r.Alias == alias).OrderBy(r => r.MoveId).Select(r => r.EnvelopeJson).ToListAsync(ct);
    }

    /// <summary>The bundle that people signed, byte for byte: its SHA-256 is the evidence digest.</summary>
    public async Task<(string FileName, string Json)> EvidenceAsync(Guid approval, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var found = await db.Approvals.AsNoTracking().Where(a => a.Id == approval).Select(a => new { a.EvidenceJson, a.EvidenceDigest }).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Approval", approval);
        return ($"evidence-{found.EvidenceDigest[..12]}.json", found.EvidenceJson);
    }

    /// <summary>The one in force first, then the retired ones.</summary>
    public async Task<IReadOnlyList<SigningKey>> KeysAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.SigningKeys.AsNoTracking().OrderBy(k => k.RetiredAt != null).ThenByDescending(k => k.CreatedAt).ThenBy(k => k.KeyId).ToListAsync(ct);
    }

    /// <param name="keyId">The id, or "current" for the key in force.</param>
    public async Task<SigningKey> KeyAsync(string keyId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (keyId != "current")
            return await db.SigningKeys.AsNoTracking().SingleOrDefaultAsync(k => k.KeyId == keyId, ct) ?? throw LlmOpsException.NotFound("Signing key", keyId);
        return await AttestationKeys.FindActiveAsync(db, ct) ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, "There is no signing key yet: it is made with the first promotion.");
    }

    private async Task<AttestationDetail> CheckAsync(LlmOpsDb db, Stored stored, CancellationToken ct)
    {
        var key = await db.SigningKeys.AsNoTracking().Where(k => k.KeyId == stored.KeyId).Select(k => k.PublicKeyPem).SingleOrDefaultAsync(ct);
        using var verifier = ECDsa.Create();
        try
        {
            var envelope = Envelope.Parse(stored.EnvelopeJson);
            if (key is null)
                return new(Row(stored), stored.EnvelopeJson, null, [$"The key {stored.KeyId} is not in this registry any more."]);
            verifier.ImportFromPem(key);
            var report = VerifyAttestation.Signature(envelope, [verifier]);
            var evidence = await db.Approvals.AsNoTracking().Where(a => a.Id == stored.ApprovalId).Select(a => a.EvidenceJson).SingleAsync(ct);
            return new(Row(stored), stored.EnvelopeJson, report.Statement, [.. report.Mismatches, .. report.Statement is { } s ? await ComparedAsync(db, s, stored, evidence, ct) : []]);
        }
        catch (Exception e) when (e is LlmOpsException or CryptographicException or ArgumentException)
        {
            return new(Row(stored) with { StatementDigest = "" }, stored.EnvelopeJson, null, [e is LlmOpsException ? e.Message : "The stored public key is damaged."]);
        }
    }

    /// <summary>The records against what was signed. The bytes of the files are looked at by <c>llmops verify --artifact</c>, not on each visit of a page.</summary>
    private async Task<IReadOnlyList<string>> ComparedAsync(LlmOpsDb db, PromotionStatement statement, Stored stored, string evidence, CancellationToken ct)
    {
        var mismatches = new List<string>();
        if (statement.Predicate.Approval != stored.ApprovalId.ToString())
            mismatches.Add("The statement is about another approval.");
        if (VerifyAttestation.Bundle(statement, Encoding.UTF8.GetBytes(evidence)) is { } changed)
            mismatches.Add(changed);
        var forms = await db.ModelVersions.AsNoTracking().Where(v => v.Id == stored.VersionId).Select(v => new { Form = PromotionStatement.Checkpoint, v.ArtifactDigest })
            .Concat(db.ModelVariants.AsNoTracking().Where(v => v.VersionId == stored.VersionId && v.Name == stored.Variant).Select(v => new { Form = v.Name, v.ArtifactDigest })).ToListAsync(ct);
        foreach (var form in forms)
        {
            var now = (await artifacts.VerifiedManifestAsync(form.ArtifactDigest, ct)).Files.ToDictionary(f => f.Path, f => f.Digest);
            if (statement.FilesOf(form.Form) is var signed && (signed.Count != now.Count || signed.Any(f => now.GetValueOrDefault(f.Key) != f.Value)))
                mismatches.Add($"The files of {form.Form} in this registry are not those that were signed.");
        }
        return mismatches;
    }

    // With properties that are set by name: only those can be filtered by in the database.
    private sealed record Stored
    {
        public required long MoveId { get; init; }
        public required Guid ApprovalId { get; init; }
        public required Guid VersionId { get; init; }
        public required string Model { get; init; }
        public required int Number { get; init; }
        public required string Variant { get; init; }
        public required string Alias { get; init; }
        public required PromotionKind Kind { get; init; }
        public required string EnvelopeJson { get; init; }
        public required string KeyId { get; init; }
        public required DateTimeOffset At { get; init; }
    }

    private static IQueryable<Stored> Rows(LlmOpsDb db) =>
        from t in db.Attestations.AsNoTracking()
        join a in db.Approvals on t.ApprovalId equals a.Id
        join v in db.ModelVersions on a.VersionId equals v.Id
        join m in db.AliasMoves on (Guid?)a.Id equals m.ApprovalId
        select new Stored
        {
            MoveId = m.Id, ApprovalId = a.Id, VersionId = v.Id, Model = v.Model!.Name, Number = v.Number, Variant = a.VariantName, Alias = a.AliasName, Kind = a.Kind,
            EnvelopeJson = t.EnvelopeJson, KeyId = t.KeyId, At = t.At,
        };

    private static AttestationRow Row(Stored s) => new(s.ApprovalId, s.Model, s.Number, s.Variant, s.Alias, s.Kind, DigestOf(s.EnvelopeJson), s.KeyId, s.At);

    internal static string DigestOf(string envelope)
    {
        try
        {
            return Envelope.Parse(envelope).StatementDigest();
        }
        catch (LlmOpsException)
        {
            // A damaged envelope is listed all the same; its page says what is wrong.
            return "";
        }
    }
}
