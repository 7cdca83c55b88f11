using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Deployments;

/// <param name="Requests">Traces that began in the last 24 hours.</param>
public sealed record DeploymentRow(Guid Id, string Name, DeploymentKind Kind, bool Stopped, DateTimeOffset CreatedAt, string CreatedBy)
{
    public IReadOnlyList<RevisionRow> Serving { get; init; } = [];
    public int Requests { get; init; }
    public int Failures { get; init; }
}

public sealed record RevisionRow(Guid Id, Guid DeploymentId, int Number, string Model, int VersionNumber, string Variant, long? SizeBytes, Guid? IndexBuildId, int TrafficPercent, string CreatedBy, DateTimeOffset CreatedAt)
{
    /// <summary>Knowledge base and number of the index, for RAG.</summary>
    public string? Index { get; init; }
    public int ShadowPercent { get; init; }
    public string Version => $"{Model}/{VersionNumber}";
}

/// <param name="Report">The last look; null before the first.</param>
public sealed record CanaryRow(int Baseline, int Candidate, CanaryState State, CanaryPolicy Policy, int Look, CanaryReport? Report, string Reason, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset? EndedAt);

/// <param name="Canary">The newest one; null when there never was any.</param>
public sealed record DeploymentDetail(DeploymentRow Row, IReadOnlyList<RevisionRow> Revisions, int ThumbsUp, int ThumbsDown, CanaryRow? Canary = null);

public sealed class ReadDeployments(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    public async Task<Window<DeploymentRow>> ListAsync(string? search, DeploymentKind? kind, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var deployments = db.Deployments.AsNoTracking();
        if (kind is { } wanted)
            deployments = deployments.Where(d => d.Kind == wanted);
        if (!string.IsNullOrWhiteSpace(search))
        {
            var text = search.Trim().ToLowerInvariant();
            deployments = deployments.Where(d => d.Name.Contains(text));
        }
        var page = await Rows(db, deployments.OrderBy(d => d.Name)).WindowAsync(skip, take, ct);
        var ids = page.Rows.Select(r => r.Id).ToList();
        var serving = (await Revisions(db, db.Revisions.AsNoTracking().Where(r => ids.Contains(r.DeploymentId) && r.TrafficPercent > 0)).ToListAsync(ct)).ToLookup(r => r.DeploymentId);
        return page with { Rows = [.. page.Rows.Select(r => r with { Serving = [.. serving[r.Id].OrderByDescending(x => x.TrafficPercent)] })] };
    }

    public async Task<DeploymentDetail> GetAsync(string name, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var row = await Rows(db, db.Deployments.AsNoTracking().Where(d => d.Name == name)).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Deployment", name);
        var revisions = (await Revisions(db, db.Revisions.AsNoTracking().Where(r => r.DeploymentId == row.Id)).ToListAsync(ct)).OrderByDescending(r => r.Number).ToList();
        var scores = await db.Feedback.Where(f => db.Spans.Any(s => s.TraceId == f.TraceId && s.DeploymentName == name)).GroupBy(f => f.Score).Select(g => new { g.Key, Count = g.Count() }).ToListAsync(ct);
        var canary = await db.Canaries.AsNoTracking().Where(c => c.DeploymentId == row.Id).OrderByDescending(c => c.CreatedAt).FirstOrDefaultAsync(ct);
        return new(row with { Serving = [.. revisions.Where(r => r.TrafficPercent > 0)] }, revisions, scores.Where(s => s.Key > 0).Sum(s => s.Count), scores.Where(s => s.Key < 0).Sum(s => s.Count),
            canary is null ? null : new(canary.Baseline, canary.Candidate, canary.State, Json.Read<CanaryPolicy>(canary.PolicyJson), canary.Look, canary.Look == 0 ? null : Json.Read<CanaryReport>(canary.ReportJson), canary.Reason, canary.CreatedBy, canary.CreatedAt, canary.EndedAt));
    }

    private IQueryable<DeploymentRow> Rows(LlmOpsDb db, IQueryable<Deployment> deployments)
    {
        var since = time.GetUtcNow().AddDays(-1);
        return deployments.Select(d => new DeploymentRow(d.Id, d.Name, d.Kind, d.Stopped, d.CreatedAt, d.CreatedBy)
        {
            Requests = db.Spans.Count(s => s.DeploymentName == d.Name && s.ParentSpanId == null && s.Kind != WatchCanaries.ShadowKind && s.StartedAt >= since),
            Failures = db.Spans.Count(s => s.DeploymentName == d.Name && s.ParentSpanId == null && s.Kind != WatchCanaries.ShadowKind && s.StartedAt >= since && s.Error != null),
        });
    }

    private static IQueryable<RevisionRow> Revisions(LlmOpsDb db, IQueryable<Revision> revisions) =>
        revisions.Join(db.ModelVersions.AsNoTracking(), r => r.VersionId, v => v.Id, (r, v) => new RevisionRow(r.Id, r.DeploymentId, r.Number, v.Model!.Name, v.Number, r.VariantName,
            v.Variants.Where(x => x.Name == r.VariantName).Select(x => (long?)x.SizeBytes).FirstOrDefault(), r.IndexBuildId, r.TrafficPercent, r.CreatedBy, r.CreatedAt)
        {
            ShadowPercent = r.ShadowPercent,
            Index = db.IndexBuilds.Where(i => i.Id == r.IndexBuildId).Select(i => i.KnowledgeBase!.Name + "/" + i.Number).FirstOrDefault(),
        });
}
