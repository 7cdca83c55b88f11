using System.Numerics.Tensors;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Retrieval;

/// <summary>
/// Sentence embeddings without a second model: the mean of the language model's own token embeddings, each weighted by α/(α + p(token)) with
/// α = 10⁻³, minus the projection on the first principal component, at length 1 (smooth inverse frequency; Arora, Liang and Ma 2017).
/// </summary>
/// <remarks>Cheap and exact to repeat; it knows which words the model finds alike, not what a sentence says. Safe for use on many threads.</remarks>
public sealed class TokenEmbedder : ITextEmbedder
{
    private const float Alpha = 1e-3f;
    private const int PowerIterations = 100;

    private readonly Tokenizer tokenizer;
    private readonly float[] embeddings;
    private readonly float[] weights;
    private readonly float[] common;

    private TokenEmbedder(Tokenizer tokenizer, float[] embeddings, float[] weights, float[] common) =>
        (this.tokenizer, this.embeddings, this.weights, this.common) = (tokenizer, embeddings, weights, common);

    /// <summary>Length of an embedding.</summary>
    public int Dimension => common.Length;

    /// <summary>Takes tokenizer and token embeddings from a checkpoint; all tokens weigh the same until <see cref="Fit"/>.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged, or the tokenizer has more tokens than the model.</exception>
    /// <exception cref="UnsupportedModelException">The model or tokenizer is of a kind that is not supported.</exception>
    public static TokenEmbedder FromCheckpoint(string hfFolder)
    {
        using var checkpoint = CheckpointFolder.Open(hfFolder);
        var tokenizer = Tokenizer.Load(hfFolder);
        var config = checkpoint.Config;
        if (tokenizer.VocabularySize > config.VocabSize)
            throw new InvalidModelException($"The tokenizer has {tokenizer.VocabularySize} tokens, the model only {config.VocabSize}.");
        var weights = new float[config.VocabSize];
        Array.Fill(weights, 1);
        return new TokenEmbedder(tokenizer, checkpoint.Weights.ReadFloat32("model.embed_tokens.weight"), weights, new float[config.HiddenSize]);
    }

    /// <summary>Learns token frequencies and the common component from the texts that will be searched.</summary>
    public TokenEmbedder Fit(IReadOnlyList<string> texts)
    {
        var counts = new long[weights.Length];
        foreach (var id in texts.SelectMany(Tokens))
            counts[id]++;
        double total = Math.Max(1, counts.Sum());
        var fitted = new TokenEmbedder(tokenizer, embeddings, Array.ConvertAll(counts, c => (float)(Alpha / (Alpha + c / total))), new float[Dimension]);
        var means = texts.Select(fitted.Mean).ToList();
        return new TokenEmbedder(tokenizer, embeddings, fitted.weights, FirstComponent(means, Dimension));
    }

    /// <inheritdoc/>
    public int Count(string text) => Tokens(text).Length;

    /// <summary>The embedding of a text, <see cref="Dimension"/> values of length 1; all zero for a text without tokens.</summary>
    public float[] Embed(string text)
    {
        var vector = Mean(text);
        TensorPrimitives.MultiplyAdd(common, -TensorPrimitives.Dot<float>(vector, common), vector, vector);
        Normalise(vector);
        return vector;
    }

    /// <inheritdoc/>
    public IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts, CancellationToken ct = default) => [.. texts.Select(text =>
    {
        ct.ThrowIfCancellationRequested();
        return Embed(text);
    })];

    /// <summary>Writes what <see cref="Load"/> reads: the weights as safetensors and the tokenizer.</summary>
    public void Save(string folder)
    {
        tokenizer.Save(folder);
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, "embedder.safetensors"),
        [
            ("token_embeddings", [weights.Length, Dimension], embeddings),
            ("token_weights", [weights.Length], weights),
            ("common_component", [Dimension], common),
        ]);
    }

    /// <summary>Reads a fitted embedder.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged.</exception>
    public static TokenEmbedder Load(string folder)
    {
        using var file = SafetensorsFile.Open(Path.Combine(folder, "embedder.safetensors"));
        var (tokenizer, weights, common) = (Tokenizer.Load(folder), file.ReadFloat32("token_weights"), file.ReadFloat32("common_component"));
        var embeddings = file.ReadFloat32("token_embeddings");
        if (embeddings.Length != (long)weights.Length * common.Length || tokenizer.VocabularySize > weights.Length)
            throw new InvalidModelException("embedder.safetensors: the sizes of embeddings, weights and tokenizer do not fit.");
        return new TokenEmbedder(tokenizer, embeddings, weights, common);
    }

    private float[] Mean(string text)
    {
        var ids = Tokens(text);
        var sum = new float[Dimension];
        foreach (var id in ids)
            TensorPrimitives.MultiplyAdd(embeddings.AsSpan(id * Dimension, Dimension), weights[id], sum, sum);
        if (ids.Length > 0)
            TensorPrimitives.Divide(sum, ids.Length, sum);
        return sum;
    }

    // A word at the start of a text or with a capital has other tokens than inside a sentence; for searching they are the same word.
    private int[] Tokens(string text) => string.IsNullOrWhiteSpace(text) ? [] : tokenizer.Encode(" " + text.Trim().ToLowerInvariant());

    // Power iteration on XᵀX, X not centred, as in the paper. It starts at the mean, which for such vectors is close to the answer.
    private static float[] FirstComponent(List<float[]> rows, int dimension)
    {
        var component = new float[dimension];
        foreach (var row in rows)
            TensorPrimitives.Add(component, row, component);
        Normalise(component);
        for (var i = 0; i < PowerIterations; i++)
        {
            var next = new float[dimension];
            foreach (var row in rows)
                TensorPrimitives.MultiplyAdd(row, TensorPrimitives.Dot<float>(row, component), next, next);
            Normalise(next);
            component = next;
        }
        return component;
    }

    private static void Normalise(Span<float> vector)
    {
        var length = TensorPrimitives.Norm<float>(vector);
        // What is left of a text that says only what all say is rounding, and has no direction.
        if (length > 1e-12f)
            TensorPrimitives.Divide(vector, length, vector);
        else
            vector.Clear();
    }
}
