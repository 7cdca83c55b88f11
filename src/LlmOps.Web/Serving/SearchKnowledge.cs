using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Knowledge;

namespace LlmOps.Web.Serving;

/// <summary>Searches an index without an answer: to see what a question finds.</summary>
public sealed class SearchKnowledge(ReadKnowledge read, ServedModels served)
{
    /// <param name="number">Build of the index; null for the newest.</param>
    public async Task<IReadOnlyList<RetrievedChunk>> SearchAsync(string knowledgeBase, int? number, string query, int k, CancellationToken ct = default)
    {
        if (k is < 1 or > AskDeployment.MostChunks)
            throw LlmOpsException.Invalid($"'k' is between 1 and {AskDeployment.MostChunks}.");
        var builds = (await read.GetAsync(knowledgeBase, ct)).Builds;
        var build = builds.FirstOrDefault(b => number is null || b.Number == number) ?? throw LlmOpsException.NotFound("Index build", $"{knowledgeBase}/{number ?? 0}");
        using var lease = await served.Indexes.BorrowAsync(build.ArtifactDigest, ct);
        return AskDeployment.Numbered(lease.Value.Search(query, k));
    }
}
