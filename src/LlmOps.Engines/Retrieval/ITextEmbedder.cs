namespace LlmOps.Engines.Retrieval;

/// <summary>Makes vectors of texts: <see cref="TokenEmbedder"/> from a language model's own embeddings, <see cref="EncoderEmbedder"/> with a model trained for it.</summary>
public interface ITextEmbedder
{
    /// <summary>Length of an embedding.</summary>
    int Dimension { get; }

    /// <summary>Number of tokens of a text that are read.</summary>
    int Count(string text);

    /// <summary>The embedding of a text.</summary>
    float[] Embed(string text);

    /// <summary>The embeddings of texts, in their order.</summary>
    IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts, CancellationToken ct = default);

    /// <summary>Writes everything that a later search needs.</summary>
    void Save(string folder);
}
