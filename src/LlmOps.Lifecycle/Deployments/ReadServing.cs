using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Deployments;

/// <summary>A revision that takes traffic, with all that serving it needs. A version that is called by itself has the number 0, and its own name for the deployment's.</summary>
/// <param name="Index">Knowledge base and number, "docs/3"; null for chat.</param>
public sealed record ServingRevision(string Deployment, DeploymentKind Kind, bool Stopped, int Number, int TrafficPercent, string Model, int VersionNumber, string Variant, string VariantDigest,
    string? Index, string? IndexDigest)
{
    public string Version => $"{Model}/{VersionNumber}";
    public string Name => IsDirect ? Deployment : $"{Deployment}#{Number}";
    public bool IsDirect => Number == 0;

    /// <summary>Revisions of the same deployment to which a share of its requests is copied.</summary>
    public IReadOnlyList<ServingRevision> Shadows { get; init; } = [];
    public int ShadowPercent { get; init; }
}

/// <summary>What answers requests now.</summary>
public sealed class ReadServing(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>The revisions of a deployment that take traffic; an error says why nothing would answer.</summary>
    public async Task<IReadOnlyList<ServingRevision>> GetAsync(string deployment, DeploymentKind kind, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var found = await db.Deployments.AsNoTracking().Where(d => d.Name == deployment).Select(d => new { d.Kind, d.Stopped }).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Deployment", deployment);
        if (found.Kind != kind)
            throw new LlmOpsException(ErrorCode.ResourceConflict, found.Kind == DeploymentKind.Rag ? $"{deployment} answers questions over documents. Ask it instead of chatting." : $"{deployment} is a chat. It has no documents to answer from.");
        var revisions = await Complete(db, db.Revisions.AsNoTracking().Where(r => r.Deployment!.Name == deployment && (r.TrafficPercent > 0 || r.ShadowPercent > 0))).ToListAsync(ct);
        var (shadows, serves) = (revisions.Where(r => r.ShadowPercent > 0).ToList(), revisions.Where(r => r.TrafficPercent > 0));
        return found.Stopped || !serves.Any()
            ? throw new LlmOpsException(ErrorCode.ResourceConflict, $"{deployment} is stopped: no revision takes traffic. Deploy one, or shift traffic to one.")
            : [.. serves.OrderBy(r => r.Number).Select(r => r with { Shadows = [.. shadows.Where(s => s.Number != r.Number)] })];
    }

    /// <summary>Digests of everything that takes traffic: whatever else is loaded can go.</summary>
    public async Task<IReadOnlySet<string>> DigestsAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rows = await Complete(db, db.Revisions.AsNoTracking().Where(r => (r.TrafficPercent > 0 || r.ShadowPercent > 0) && !r.Deployment!.Stopped)).ToListAsync(ct);
        return rows.SelectMany(r => new[] { r.VariantDigest, r.IndexDigest }).OfType<string>().ToHashSet();
    }

    private static IQueryable<ServingRevision> Complete(LlmOpsDb db, IQueryable<Revision> revisions) =>
        from r in revisions
        join v in db.ModelVersions.AsNoTracking() on r.VersionId equals v.Id
        join variant in db.ModelVariants.AsNoTracking() on new { r.VersionId, Name = r.VariantName } equals new { variant.VersionId, variant.Name }
        join i in db.IndexBuilds.AsNoTracking() on r.IndexBuildId equals (Guid?)i.Id into indexes
        from i in indexes.DefaultIfEmpty()
        select new ServingRevision(r.Deployment!.Name, r.Deployment.Kind, r.Deployment.Stopped, r.Number, r.TrafficPercent, v.Model!.Name, v.Number, r.VariantName, variant.ArtifactDigest,
            i == null ? null : i.KnowledgeBase!.Name + "/" + i.Number, i == null ? null : i.ArtifactDigest) { ShadowPercent = r.ShadowPercent };
}
