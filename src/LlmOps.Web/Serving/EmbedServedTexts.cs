using LlmOps.Engines;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Tracing.Drift;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Serving;

/// <summary>Vectors of questions for the comparison of traffic: by the index that a deployment searches, else by the token embeddings of the model that it serves.</summary>
public sealed class EmbedServedTexts(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts, ServedModels served)
{
    public async Task<EmbeddedTexts?> EmbedAsync(string deployment, IReadOnlyList<string> texts, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var serving = await db.Revisions.AsNoTracking().Where(r => r.Deployment!.Name == deployment && r.TrafficPercent > 0).OrderByDescending(r => r.TrafficPercent).ThenByDescending(r => r.Number)
            .Select(r => new { r.VersionId, r.IndexBuildId }).FirstOrDefaultAsync(ct);
        if (serving is null)
            return null;
        if (serving.IndexBuildId is { } build)
        {
            var index = await db.IndexBuilds.Where(i => i.Id == build).Select(i => new { i.ArtifactDigest, Name = i.KnowledgeBase!.Name + "/" + i.Number }).SingleAsync(ct);
            using var borrowed = await served.Indexes.BorrowAsync(index.ArtifactDigest, ct);
            var by = borrowed.Value.Embedder;
            return new($"the index {index.Name}", await Task.Run(() => by.Embed(texts, ct), ct));
        }
        var version = await db.ModelVersions.Where(v => v.Id == serving.VersionId).Select(v => new { v.ArtifactDigest, Name = v.Model!.Name + "/" + v.Number }).SingleAsync(ct);
        try
        {
            var folder = await artifacts.FolderAsync(version.ArtifactDigest, ct);
            // Weighed by how often its tokens occur in both sides together: words that all questions share say nothing about a change.
            return new($"token embeddings of {version.Name}", await Task.Run(() => TokenEmbedder.FromCheckpoint(folder).Fit(texts).Embed(texts, ct), ct));
        }
        catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
        {
            return null; // an encoder or a model without such a table has no vectors to give
        }
    }
}
