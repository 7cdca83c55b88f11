using System.Text.Json.Serialization;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// A language model of long short-term memory cells (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000): embedding, one or more
/// layers that hand their hidden state on, and a score for every token of the vocabulary.
/// </summary>
/// <param name="VocabSize">Tokens of the vocabulary.</param>
/// <param name="EmbeddingSize">Width of a token's vector.</param>
/// <param name="HiddenSize">Cells of each layer.</param>
/// <param name="Layers">Layers, one above the other.</param>
/// <param name="TieEmbeddings">True when the head reads the embedding's own matrix; both widths must then be equal.</param>
/// <param name="MaxLength">Longest sequence that is scored, in tokens; the cells know no limit of their own.</param>
public sealed record LstmConfig(int VocabSize, int EmbeddingSize, int HiddenSize, int Layers, bool TieEmbeddings = false, int MaxLength = 1024) : SmallModelConfig
{
    /// <summary>What config.json calls it.</summary>
    public const string ModelType = "lstm-lm";

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Kind => "LSTM language model";

    /// <summary>Gates lie below each other in torch's order: input, forget, cell, output.</summary>
    public override IReadOnlyList<(string Name, long[] Shape)> Tensors()
    {
        var tensors = new List<(string, long[])> { ("embedding.weight", [VocabSize, EmbeddingSize]) };
        for (var i = 0; i < Layers; i++)
        {
            tensors.Add(($"lstm.{i}.weight_ih", [4 * HiddenSize, i == 0 ? EmbeddingSize : HiddenSize]));
            tensors.Add(($"lstm.{i}.weight_hh", [4 * HiddenSize, HiddenSize]));
            tensors.Add(($"lstm.{i}.bias", [4 * HiddenSize]));
        }
        if (!TieEmbeddings)
            tensors.Add(("head.weight", [VocabSize, HiddenSize]));
        tensors.Add(("head.bias", [VocabSize]));
        return tensors;
    }

    /// <inheritdoc/>
    public override void EnsureValid()
    {
        if (VocabSize < 2 || EmbeddingSize < 1 || HiddenSize < 1)
            throw new ArgumentException($"VocabSize is {VocabSize}, EmbeddingSize {EmbeddingSize} and HiddenSize {HiddenSize}; they must be at least 2, 1 and 1.");
        if (Layers is < 1 or > 16)
            throw new ArgumentException($"Layers is {Layers}; it must be 1 to 16.");
        if (TieEmbeddings && EmbeddingSize != HiddenSize)
            throw new ArgumentException($"A tied head reads the embedding, so EmbeddingSize ({EmbeddingSize}) and HiddenSize ({HiddenSize}) must be equal.");
        if (MaxLength < 2)
            throw new ArgumentException($"MaxLength is {MaxLength}; it must be at least 2.");
    }
}
