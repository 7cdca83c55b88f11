using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Knowledge;

public sealed record KnowledgeRow(Guid Id, string Name, string Description, DateTimeOffset CreatedAt, int Builds)
{
    public BuildRow? Latest { get; init; }
}

/// <param name="EmbeddingVersion">Model version whose token embeddings make the vectors.</param>
public sealed record BuildRow(Guid Id, Guid KnowledgeBaseId, int Number, string ArtifactDigest, long SizeBytes, int Documents, int Chunks, int Dimensions, string EmbeddingVersion, string ReportJson, string CreatedBy, DateTimeOffset CreatedAt);

public sealed record KnowledgeDetail(KnowledgeRow Row, IReadOnlyList<BuildRow> Builds, IReadOnlyList<string> Deployments);

public sealed class ReadKnowledge(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<Window<KnowledgeRow>> ListAsync(string? search, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var bases = db.KnowledgeBases.AsNoTracking();
        if (!string.IsNullOrWhiteSpace(search))
        {
            var text = search.Trim().ToLowerInvariant();
            bases = bases.Where(k => k.Name.Contains(text));
        }
        var page = await bases.OrderBy(k => k.Name).Select(k => new KnowledgeRow(k.Id, k.Name, k.Description, k.CreatedAt, k.Builds.Count)).WindowAsync(skip, take, ct);
        var ids = page.Rows.Select(r => r.Id).ToList();
        var latest = await Builds(db, db.IndexBuilds.AsNoTracking()
            .Where(b => ids.Contains(b.KnowledgeBaseId) && b.Number == db.IndexBuilds.Where(x => x.KnowledgeBaseId == b.KnowledgeBaseId).Max(x => x.Number))).ToDictionaryAsync(b => b.KnowledgeBaseId, ct);
        return page with { Rows = [.. page.Rows.Select(r => r with { Latest = latest.GetValueOrDefault(r.Id) })] };
    }

    public async Task<KnowledgeDetail> GetAsync(string name, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var row = await db.KnowledgeBases.AsNoTracking().Where(k => k.Name == name).Select(k => new KnowledgeRow(k.Id, k.Name, k.Description, k.CreatedAt, k.Builds.Count)).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.NotFound("Knowledge base", name);
        var builds = (await Builds(db, db.IndexBuilds.AsNoTracking().Where(b => b.KnowledgeBaseId == row.Id)).ToListAsync(ct)).OrderByDescending(b => b.Number).ToList();
        var ids = builds.Select(b => b.Id).ToList();
        var deployments = await db.Revisions.Where(r => r.IndexBuildId != null && ids.Contains(r.IndexBuildId.Value) && r.TrafficPercent > 0).Select(r => r.Deployment!.Name).Distinct().OrderBy(n => n).ToListAsync(ct);
        return new(row with { Latest = builds.FirstOrDefault() }, builds, deployments);
    }

    private static IQueryable<BuildRow> Builds(LlmOpsDb db, IQueryable<IndexBuild> builds) =>
        builds.Join(db.ModelVersions.AsNoTracking(), b => b.EmbeddingVersionId, v => v.Id, (b, v) => new BuildRow(b.Id, b.KnowledgeBaseId, b.Number, b.ArtifactDigest, b.SizeBytes, b.Documents, b.Chunks, b.Dimensions,
            v.Model!.Name + "/" + v.Number, b.ReportJson, b.CreatedBy, b.CreatedAt));
}
