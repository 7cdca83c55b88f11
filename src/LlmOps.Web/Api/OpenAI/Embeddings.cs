using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmOps.Engines;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Security;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>Texts as vectors, and what follows from comparing them: by a registered encoder, or by what a RAG deployment's index was made with.</summary>
public sealed class Embeddings(FindModel find, ServedModels served, ServingLimits limits, IngestSpans spans, TimeProvider time)
{
    private const int MostTexts = 2048, TracedTexts = 20;

    public async Task EmbedAsync(EmbeddingRequest body, HttpContext http)
    {
        var texts = Texts(body.Input, "input");
        Sampling.Check(body.EncodingFormat is null or "float" or "base64", "encoding_format", "float or base64");
        var (vectors, tokens, _) = await VectorsAsync(body.Model, body.User, texts, http);
        if (body.Dimensions is { } wanted && vectors.Count > 0 && wanted != vectors[0].Length)
            throw OpenAIException.Invalid($"'dimensions' must be left out or {vectors[0].Length}: this model was not trained for shorter vectors.", "dimensions");
        var rows = vectors.Select((v, i) => new EmbeddingRow(i, body.EncodingFormat == "base64" ? Convert.ToBase64String(MemoryMarshal.AsBytes<float>(v)) : v));
        await http.Response.WriteAsJsonAsync(new { @object = "list", data = rows, model = body.Model, usage = new { prompt_tokens = tokens, total_tokens = tokens } }, OpenAIErrors.Json, http.RequestAborted);
    }

    /// <summary>How alike pairs of texts are: the cosine of their vectors. One text is compared with each of many.</summary>
    public async Task ScoreAsync(ScoreRequest body, HttpContext http)
    {
        string[] first = Texts(body.Text1, "text_1"), second = Texts(body.Text2, "text_2");
        Sampling.Check(first.Length == 1 || first.Length == second.Length, "text_1", "one text, or as many as 'text_2'");
        var (vectors, tokens, _) = await VectorsAsync(body.Model, null, [.. first, .. second], http);
        var data = second.Select((_, i) => new { @object = "score", index = i, score = Cosine(vectors[first.Length == 1 ? 0 : i], vectors[first.Length + i]) });
        await http.Response.WriteAsJsonAsync(new { id = $"score-{Guid.NewGuid():N}", @object = "list", created = time.GetUtcNow().ToUnixTimeSeconds(), model = body.Model, data, usage = new { prompt_tokens = tokens, total_tokens = tokens } },
            OpenAIErrors.Json, http.RequestAborted);
    }

    /// <summary>Documents in the order of their likeness to a query.</summary>
    public async Task RerankAsync(RerankRequest body, HttpContext http)
    {
        Sampling.Check(!string.IsNullOrWhiteSpace(body.Query), "query", "a text");
        Sampling.Check(body.TopN is null or >= 1, "top_n", "1 or more");
        var documents = Texts(body.Documents, "documents");
        var (vectors, tokens, _) = await VectorsAsync(body.Model, null, [body.Query!, .. documents], http);
        var results = documents.Select((text, i) => new { index = i, document = body.ReturnDocuments == false ? null : new { text }, relevance_score = Cosine(vectors[0], vectors[i + 1]) })
            .OrderByDescending(r => r.relevance_score).ThenBy(r => r.index).Take(body.TopN ?? documents.Length);
        await http.Response.WriteAsJsonAsync(new { id = $"rerank-{Guid.NewGuid():N}", model = body.Model, results, usage = new { total_tokens = tokens } }, OpenAIErrors.Json, http.RequestAborted);
    }

    private async Task<(IReadOnlyList<float[]> Vectors, int Tokens, ServingRevision Revision)> VectorsAsync(string? model, string? user, string[] texts, HttpContext http)
    {
        var ct = http.RequestAborted;
        var revision = await find.GetAsync(model, user, http.User.ToActor(), ct);
        http.Response.Headers[AnswerHead.RevisionHeader] = revision.Name;
        using var admitted = limits.Enter(ServingClient.Of(http.User));
        // The beginning is enough to tell what it was: a request may bring thousands of texts.
        var trace = new ServedTrace(revision, "embeddings", string.Join('\n', texts.Take(TracedTexts)), http.User.ToActor(), time);
        string? error = "Broken off before the vectors were there.";
        (IReadOnlyList<float[]> Vectors, int Tokens, ServingRevision Revision)? made = null;
        try
        {
            made = await VectorsAsync(revision, model, texts, admitted, ct);
            error = null;
            return made.Value;
        }
        catch (OpenAIException e)
        {
            error = e.Message;
            throw;
        }
        finally
        {
            if (error is not null && ct.IsCancellationRequested)
                error += " " + WatchCanaries.GaveUp;
            await spans.IngestAsync(trace.Finish(null, error, made?.Tokens, attributes: new Dictionary<string, object?>
            {
                ["version"] = revision.Version, ["variant"] = revision.Variant, ["texts"] = texts.Length, ["gen_ai.embeddings.dimension.count"] = made?.Vectors[0].Length,
            }), CancellationToken.None);
        }
    }

    private async Task<(IReadOnlyList<float[]> Vectors, int Tokens, ServingRevision Revision)> VectorsAsync(ServingRevision revision, string? model, string[] texts, Admission admitted, CancellationToken ct)
    {
        if (revision is { Kind: DeploymentKind.Rag, IndexDigest: { } digest })
        {
            using var index = await served.Indexes.BorrowAsync(digest, ct);
            var embedder = index.Value.Embedder;
            return (await Task.Run(() => embedder.Embed(texts, ct), ct), Charged(admitted, texts.Sum(embedder.Count)), revision);
        }
        try
        {
            using var encoder = await served.Encoders.BorrowAsync(revision.VariantDigest, ct);
            return (await Task.Run(() => encoder.Value.Embed(texts, ct), ct), Charged(admitted, texts.Sum(encoder.Value.Count)), revision);
        }
        catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
        {
            throw OpenAIException.Invalid($"'{model}' makes no embeddings: {e.Message} Register an exported encoder, or name a RAG deployment as rag:name.", "model");
        }
    }

    private static int Charged(Admission admitted, int tokens)
    {
        admitted.Charge(tokens);
        return tokens;
    }

    private static float Cosine(float[] a, float[] b) => TensorPrimitives.Norm<float>(a) * TensorPrimitives.Norm<float>(b) is > 0 ? TensorPrimitives.CosineSimilarity<float>(a, b) : 0;

    private static string[] Texts(JsonElement? input, string field)
    {
        string[]? texts = input?.ValueKind switch
        {
            JsonValueKind.String => [input.Value.GetString()!],
            JsonValueKind.Array when input.Value.EnumerateArray().All(t => Text(t) is not null) => [.. input.Value.EnumerateArray().Select(t => Text(t)!)],
            _ => null,
        };
        return texts is { Length: >= 1 and <= MostTexts } && texts.All(t => t.Length > 0) ? texts : Sampling.Refuse<string[]>(field, $"a text or a list of 1 to {MostTexts} texts, none of them empty");
    }

    // Rerankers' clients send documents as texts or as objects with one.
    private static string? Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()
        : value.ValueKind == JsonValueKind.Object && value.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
}
