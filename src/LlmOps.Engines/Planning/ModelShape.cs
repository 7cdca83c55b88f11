using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Planning;

/// <summary>The sizes of a decoder that decide how much memory and work it needs. Names as in <see cref="ModelConfig"/>.</summary>
public sealed record ModelShape
{
    /// <summary>What it is called.</summary>
    public required string Name { get; init; }
    /// <summary>Decoder layers.</summary>
    public required int Layers { get; init; }
    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }
    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }
    /// <summary>Key and value heads.</summary>
    public required int KeyValueHeads { get; init; }
    /// <summary>Width of one head.</summary>
    public required int HeadDim { get; init; }
    /// <summary>Width inside the MLP.</summary>
    public required int IntermediateSize { get; init; }
    /// <summary>Rows of the token embedding.</summary>
    public required int VocabSize { get; init; }
    /// <summary>Longest sequence, in tokens.</summary>
    public required int MaxContext { get; init; }
    /// <summary>Whether the output head is the token embedding.</summary>
    public bool TiedEmbeddings { get; init; }
    /// <summary>Biases of the query, key and value projections (Qwen 2).</summary>
    public bool AttentionBias { get; init; }
    /// <summary>What a family has besides: norms of heads or after blocks, other biases, trained positions.</summary>
    public long ExtraWeights { get; init; }
    /// <summary>A gated MLP has three matrices, a plain one two.</summary>
    public bool GatedMlp { get; init; } = true;
    /// <summary>Whether the scores over the vocabulary pass a soft cap (Gemma 2).</summary>
    public bool CappedScores { get; init; }

    /// <summary>Width of all queries of a position.</summary>
    public long QueryWidth => (long)Heads * HeadDim;
    /// <summary>Width of all keys (or values) of a position.</summary>
    public long KeyValueWidth => (long)KeyValueHeads * HeadDim;
    /// <summary>Weights in the layers' matrices: <c>L · (H·q + 2·H·kv + q·H + 3·H·I)</c>, with 2 instead of 3 when the MLP is not gated.</summary>
    public long LayerWeights => Layers * (2 * HiddenSize * QueryWidth + 2 * HiddenSize * KeyValueWidth + (GatedMlp ? 3L : 2L) * HiddenSize * IntermediateSize);
    /// <summary>Outputs of the layers' matrices, each of which has a scale of its own in 8 bits per channel: <c>L · (q + 2·kv + H + 2·I + H)</c>.</summary>
    public long LayerOutputs => Layers * (QueryWidth + 2 * KeyValueWidth + 2L * HiddenSize + (GatedMlp ? 2L : 1L) * IntermediateSize);
    /// <summary>Weights of the token embedding, and of the output head, which is the same matrix or another one of this size: <c>V · H</c>.</summary>
    public long EmbeddingWeights => (long)VocabSize * HiddenSize;
    /// <summary>Norms and biases, which stay in floating point: <c>(2·L + 1)·H</c>, with attention biases <c>L·(q + 2·kv)</c>, and the extra weights.</summary>
    public long OtherWeights => (2L * Layers + 1) * HiddenSize + (AttentionBias ? Layers * (QueryWidth + 2 * KeyValueWidth) : 0) + ExtraWeights;
    /// <summary>All weights, a tied head counted once.</summary>
    public long Parameters => LayerWeights + OtherWeights + EmbeddingWeights * (TiedEmbeddings ? 1 : 2);

    /// <summary>Keys and values of one sequence: <c>layers · 2 · kv heads · head width · tokens · bytes</c>.</summary>
    /// <param name="tokens">Length of the sequence.</param>
    /// <param name="bytesPerValue">4 for fp32, 2 for fp16.</param>
    public long KeyValueBytes(long tokens, int bytesPerValue) => 2 * Layers * KeyValueWidth * tokens * bytesPerValue;

    /// <summary>
    /// Floating-point operations of one token after <paramref name="context"/> others: two for each weight of layers and head, and
    /// <c>4 · L · q · context</c> for scores and their use (Kaplan et al. 2020, "Scaling laws for neural language models", table 1).
    /// </summary>
    public double OperationsPerToken(double context) => 2.0 * (LayerWeights + EmbeddingWeights) + 4.0 * Layers * QueryWidth * context;

    /// <summary>The shape of a configuration. Sliding windows save no cache here: it holds the whole context.</summary>
    public static ModelShape Of(ModelConfig config, string name)
    {
        var shape = new ModelShape
        {
            Name = name, Layers = config.NumHiddenLayers, HiddenSize = config.HiddenSize, Heads = config.NumAttentionHeads, KeyValueHeads = config.NumKeyValueHeads,
            HeadDim = config.HeadDim, IntermediateSize = config.IntermediateSize, VocabSize = config.VocabSize, MaxContext = config.MaxPositionEmbeddings,
            TiedEmbeddings = config.TieWordEmbeddings, GatedMlp = config.Family.GatedMlp, CappedScores = config.FinalLogitSoftcapping is not null,
        };
        return shape with { ExtraWeights = config.ParameterCount - shape.Parameters };
    }

    /// <summary>Says what makes this shape impossible, or null.</summary>
    public string? FindProblem()
    {
        foreach (var (name, value, most) in new[]
        {
            ("layers", Layers, 1024), ("hidden size", HiddenSize, 1 << 17), ("heads", Heads, 1024), ("key/value heads", KeyValueHeads, 1024), ("head width", HeadDim, 4096),
            ("intermediate size", IntermediateSize, 1 << 19), ("vocabulary", VocabSize, 1 << 21), ("longest context", MaxContext, 1 << 24),
        })
        {
            if (value < 1 || value > most)
                return $"{name} is {value}; it has to be 1 to {most}.";
        }
        return Heads % KeyValueHeads == 0 ? null : $"heads ({Heads}) is not a multiple of key/value heads ({KeyValueHeads}).";
    }
}
