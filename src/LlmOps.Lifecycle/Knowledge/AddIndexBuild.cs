using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Knowledge;

public sealed record BuiltIndex(string KnowledgeBase, StoredArtifact Artifact, int Documents, int Chunks, int Dimensions, Guid EmbeddingVersionId, string ReportJson, Guid? JobId);

public static class AddIndexBuild
{
    public static async Task<IndexBuild> AddIndexAsync(this LlmOpsDb db, BuiltIndex built, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        var name = ModelName.Parse(built.KnowledgeBase);
        var knowledge = await db.KnowledgeBases.SingleOrDefaultAsync(k => k.Name == name, ct);
        if (knowledge is null)
            db.KnowledgeBases.Add(knowledge = new KnowledgeBase { Name = name, CreatedAt = now });
        var number = await db.IndexBuilds.Where(b => b.KnowledgeBaseId == knowledge.Id).MaxAsync(b => (int?)b.Number, ct) ?? 0;
        var build = new IndexBuild
        {
            KnowledgeBaseId = knowledge.Id, KnowledgeBase = knowledge, Number = number + 1, ArtifactDigest = built.Artifact.Digest, SizeBytes = built.Artifact.SizeBytes, Documents = built.Documents,
            Chunks = built.Chunks, Dimensions = built.Dimensions, EmbeddingVersionId = built.EmbeddingVersionId, ReportJson = built.ReportJson, ProducedByJobId = built.JobId,
            CreatedBy = actor.Name, CreatedAt = now,
        };
        db.IndexBuilds.Add(build);
        db.Record(actor, "build-index", "knowledge-base", name, now, after: new { build.Number, build.Chunks });
        return build;
    }

    public static async Task<IndexBuild> GetAsync(this DbSet<IndexBuild> builds, string key, CancellationToken ct = default)
    {
        var parsed = VersionKey.Parse(key);
        return await builds.Include(b => b.KnowledgeBase).SingleOrDefaultAsync(b => b.KnowledgeBase!.Name == parsed.Name && b.Number == parsed.Number, ct)
            ?? throw LlmOpsException.NotFound("Index build", key);
    }
}
