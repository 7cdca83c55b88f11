using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Serving;

/// <param name="Number">The [n] in the answer.</param>
public sealed record AnswerCitation(int Number, string Document, string Heading, int StartLine, string Sentence);

/// <param name="Bm25Rank">Place in the ranking by words; null when it is not in it.</param>
/// <param name="DenseRank">Place in the ranking by embeddings; null when it is not in it.</param>
public sealed record RetrievedChunk(int Number, string Id, string Document, string Heading, int StartLine, string Text, double Score, int? Bm25Rank, int? DenseRank);

/// <param name="Method">How the answer came about, in words for the reader.</param>
/// <param name="Found">False when nothing in the documents answers the question.</param>
public sealed record AskAnswer(string TraceId, string Deployment, string Revision, string Version, string Variant, string Index, string Answer, bool Found, string Method,
    IReadOnlyList<AnswerCitation> Citations, IReadOnlyList<RetrievedChunk> Chunks, double RetrievalMs, double DurationMs);

/// <summary>One question over documents: hybrid search, then an answer made of the sentences that were found. Pages and the API call this.</summary>
public sealed class AskDeployment(ReadServing serving, ServedModels served, ServingLimits limits, IngestSpans spans, TimeProvider time)
{
    /// <summary>Said with every answer: nobody should take quoted sentences for the model's own words.</summary>
    public const string Method = "The answer consists of sentences quoted from the documents, each with its source. The served model is too small to write a grounded answer itself; its token embeddings take part in the search.";

    public const int MostChunks = 20;
    private const int LongestQuestion = 2000;

    public async Task<AskAnswer> AskAsync(string deployment, string question, int k, Actor actor, ServingClient? client = null, CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        return await AskAsync((await serving.GetAsync(deployment, DeploymentKind.Rag, ct)).ByTraffic(), question, k, actor, client, ct);
    }

    public async Task<AskAnswer> AskAsync(ServingRevision revision, string question, int k, Actor actor, ServingClient? client = null, CancellationToken ct = default)
    {
        actor.Require(Permission.Chat);
        question = question.Trim();
        if (question.Length is 0 or > LongestQuestion)
            throw LlmOpsException.Invalid($"A question has 1 to {LongestQuestion} characters.");
        if (k is < 1 or > MostChunks)
            throw LlmOpsException.Invalid($"'k' is between 1 and {MostChunks}.");
        if (revision is not { IndexDigest: { } digest, Index: { } index })
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{revision.Name} has no index to search. Deploy it again with one.");
        using var admitted = limits.Enter(client ?? ServingClient.Of(actor));
        var trace = new ServedTrace(revision, "ask", question, actor, time);
        CitedAnswer? answer = null;
        try
        {
            using var lease = await served.Indexes.BorrowAsync(digest, ct);
            var retrieval = trace.Begin(index, "retrieval", question);
            var hits = lease.Value.Search(question, k);
            var retrievalMs = retrieval.ElapsedMs;
            retrieval.End(string.Join('\n', hits.Select(h => h.Chunk.Id)), attributes: new { k, hits = hits.Select(h => new { h.Chunk.Id, h.Score, h.Bm25Rank, h.DenseRank }) });
            var extraction = trace.Begin("extract", "answer", question);
            answer = ExtractiveAnswer.From(question, hits);
            extraction.End(answer.Text, attributes: new { answer.Found, method = "extractive" });
            return new(trace.TraceId, revision.Deployment, revision.Name, revision.Version, revision.Variant, index, answer.Text, answer.Found, Method,
                [.. answer.Citations.Select(c => new AnswerCitation(c.Number, c.Chunk.Document, c.Chunk.Heading, c.Chunk.StartLine, c.Sentence))],
                Numbered(hits), retrievalMs, trace.ElapsedMs);
        }
        finally
        {
            await spans.IngestAsync(trace.Finish(answer?.Text, answer is null ? "Broken off before there was an answer." : null), CancellationToken.None);
        }
    }

    public static IReadOnlyList<RetrievedChunk> Numbered(IReadOnlyList<SearchHit> hits) =>
        [.. hits.Index().Select(h => new RetrievedChunk(h.Index + 1, h.Item.Chunk.Id, h.Item.Chunk.Document, h.Item.Chunk.Heading, h.Item.Chunk.StartLine, h.Item.Chunk.Text, h.Item.Score, h.Item.Bm25Rank, h.Item.DenseRank))];
}
