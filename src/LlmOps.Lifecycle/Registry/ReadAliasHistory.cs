using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <param name="OnWhoseWord">"rosa", or "dora for rosa"; empty for moves from before signatures were kept.</param>
public sealed record AliasHolder(string Alias, string Version, string? Variant, DateTimeOffset Since, DateTimeOffset? Until, string MovedBy, string? RequestedBy,
    IReadOnlyList<string> OnWhoseWord, string? Kind, string? Reason, Guid? ApprovalId, string? EvidenceDigest)
{
    /// <summary>SHA-256 of the signed statement about this move; null for moves from before statements were signed.</summary>
    public string? StatementDigest { get; init; }
}

/// <summary>What an alias held at a time, on whose word and on which evidence.</summary>
public sealed class ReadAliasHistory(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <returns>Null when the alias held nothing then.</returns>
    public async Task<AliasHolder?> AtAsync(string model, string alias, DateTimeOffset at, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var owner = await db.Models.AsNoTracking().SingleOrDefaultAsync(m => m.Name == model, ct) ?? throw LlmOpsException.NotFound("Model", model);
        var moves = db.AliasMoves.AsNoTracking().Where(m => m.ModelId == owner.Id && m.Name == alias);
        var move = await moves.Where(m => m.At <= at).OrderByDescending(m => m.Id).FirstOrDefaultAsync(ct);
        if (move is null)
            return null;
        var until = await moves.Where(m => m.Id > move.Id).OrderBy(m => m.Id).Select(m => (DateTimeOffset?)m.At).FirstOrDefaultAsync(ct);
        var number = await db.ModelVersions.Where(v => v.Id == move.ToVersionId).Select(v => v.Number).SingleAsync(ct);
        var signatures = await db.ApprovalSignatures.AsNoTracking().Where(s => s.ApprovalId == move.ApprovalId && s.Decision == SignatureDecision.Approve).OrderBy(s => s.At).ToListAsync(ct);
        var request = await db.Approvals.AsNoTracking().Where(a => a.Id == move.ApprovalId).Select(a => new { a.RequestedBy, a.EvidenceDigest }).SingleOrDefaultAsync(ct);
        var envelope = await db.Attestations.AsNoTracking().Where(t => t.ApprovalId == move.ApprovalId).Select(t => t.EnvelopeJson).FirstOrDefaultAsync(ct);
        return new(alias, $"{model}/{number}", move.VariantName, move.At, until, move.MovedBy, request?.RequestedBy,
            [.. signatures.Select(s => s.OnBehalfOf is null ? s.PersonName : $"{s.PersonName} for {s.OnBehalfOf}")],
            move.Kind, move.Reason, move.ApprovalId, move.EvidenceDigest ?? request?.EvidenceDigest) { StatementDigest = envelope is null ? null : ReadAttestations.DigestOf(envelope) };
    }

    /// <summary>Aliases that hold what an override put there: pages say so wherever the model is shown.</summary>
    public async Task<IReadOnlyList<AliasHolder>> OverridesAsync(string model, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var names = await db.Aliases.AsNoTracking().Where(a => db.Models.Any(m => m.Id == a.ModelId && m.Name == model)).OrderBy(a => a.Name).Select(a => a.Name).ToListAsync(ct);
        var holders = new List<AliasHolder>();
        foreach (var name in names)
            if (await AtAsync(model, name, DateTimeOffset.MaxValue, ct) is { Kind: nameof(PromotionKind.Override) } holder)
                holders.Add(holder);
        return holders;
    }

    public async Task<IReadOnlyList<ModelEnvironment>> EnvironmentsAsync(string model, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return ModelEnvironment.Of(await db.Models.AsNoTracking().SingleOrDefaultAsync(m => m.Name == model, ct) ?? throw LlmOpsException.NotFound("Model", model));
    }
}
