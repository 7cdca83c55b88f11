using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Deployments;

/// <summary>Something that answers requests, by the name that a request calls it.</summary>
public sealed record ServedName(string Name, DateTimeOffset CreatedAt);

/// <summary>Versions that are called by themselves, without a deployment: by an alias, or by number to look at one before it is promoted.</summary>
public sealed class ReadServedVersions(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>What an alias points to.</summary>
    /// <param name="model">Name of the model.</param>
    /// <param name="alias">Aliases that are no environment move without an approval, so where one points says nothing about what anybody signed for.</param>
    /// <param name="actor">As for a version that is called by its number.</param>
    /// <param name="ct">Ends the reading.</param>
    public async Task<ServingRevision> GetAliasAsync(string model, string alias, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var pointer = await (from a in db.Aliases.AsNoTracking()
                             join m in db.Models on a.ModelId equals m.Id
                             join v in db.ModelVersions on a.VersionId equals v.Id
                             where m.Name == model && a.Name == alias
                             select new { m.Name, v.Id, v.Number, a.VariantName }).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.NotFound("Model alias", $"{model}@{alias}");
        var variant = await ChooseAsync(db, pointer.Id, new(pointer.Name, pointer.Number), pointer.VariantName, ct);
        await EnsureApprovedAsync(db, pointer.Id, new(pointer.Name, pointer.Number), variant, actor, ct);
        return Direct(new(pointer.Name, pointer.Number), variant);
    }

    /// <param name="variant">Null takes the approved one, else the only one, else the one named fp32.</param>
    /// <param name="actor">Whoever only chats gets approved variants; a version that nobody signed for answers to those who make models.</param>
    public async Task<ServingRevision> GetVersionAsync(VersionKey key, string? variant, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await db.ModelVersions.GetAsync(key, ct);
        var chosen = await ChooseAsync(db, version.Id, key, variant, ct);
        await EnsureApprovedAsync(db, version.Id, key, chosen, actor, ct);
        return Direct(key, chosen);
    }

    private static async Task EnsureApprovedAsync(LlmOpsDb db, Guid versionId, VersionKey key, ModelVariant variant, Actor actor, CancellationToken ct)
    {
        if (!actor.May(Permission.RunPipelines) && !await db.Approvals.AnyAsync(a => a.VersionId == versionId && a.VariantName == variant.Name && a.State == ApprovalState.Approved, ct))
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"{key}:{variant.Name} was never approved: it answers only those who may run pipelines. Call a deployment, or ask for its promotion.");
    }

    /// <summary>Deployments that take traffic, and aliases of versions that can be run.</summary>
    public async Task<IReadOnlyList<ServedName>> ListAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var deployments = await db.Deployments.AsNoTracking().Where(d => !d.Stopped && d.Revisions.Any(r => r.TrafficPercent > 0)).OrderBy(d => d.Name).Select(d => new { d.Name, d.Kind, d.CreatedAt }).ToListAsync(ct);
        var aliases = await (from a in db.Aliases.AsNoTracking()
                             join m in db.Models on a.ModelId equals m.Id
                             join v in db.ModelVersions on a.VersionId equals v.Id
                             where v.Variants.Any() && !SmallModels.Stages.Contains(v.Stage)
                             orderby m.Name, a.Name
                             select new { Model = m.Name, Alias = a.Name, v.CreatedAt }).ToListAsync(ct);
        return [.. deployments.Select(d => new ServedName(d.Kind == DeploymentKind.Rag ? $"rag:{d.Name}" : d.Name, d.CreatedAt)), .. aliases.Select(a => new ServedName($"{a.Model}@{a.Alias}", a.CreatedAt))];
    }

    private static async Task<ModelVariant> ChooseAsync(LlmOpsDb db, Guid versionId, VersionKey key, string? name, CancellationToken ct)
    {
        var variants = await db.ModelVariants.AsNoTracking().Where(v => v.VersionId == versionId).OrderBy(v => v.Name).ToListAsync(ct);
        if (variants.Count == 0)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{key} has no variant that can be run. Export it to ONNX first.");
        if (name is not null)
            return variants.FirstOrDefault(v => v.Name == name) ?? throw LlmOpsException.NotFound($"Variant of {key}", name);
        var approved = await db.Approvals.Where(a => a.VersionId == versionId && a.State == ApprovalState.Approved).OrderByDescending(a => a.CreatedAt).Select(a => a.VariantName).ToListAsync(ct);
        return approved.Select(a => variants.FirstOrDefault(v => v.Name == a)).FirstOrDefault(v => v is not null)
            ?? (variants.Count == 1 ? variants[0] : variants.FirstOrDefault(v => v.Name == "fp32"))
            ?? throw LlmOpsException.Invalid($"{key} has the variants {string.Join(", ", variants.Select(v => v.Name))}. Say which one: {key}:{variants[0].Name}.");
    }

    private static ServingRevision Direct(VersionKey key, ModelVariant variant) =>
        new($"{key}:{variant.Name}", DeploymentKind.Chat, false, 0, 100, key.Name, key.Number, variant.Name, variant.ArtifactDigest, null, null);
}
