namespace LlmOps.Engines.Evaluation;

/// <summary>
/// A causal language model that gives, for every position of every sequence, the logits of the next token.
/// Implemented by ONNX Runtime (inference) and by TorchSharp (training), so that both are measured by the same code.
/// </summary>
public interface ICausalModel : IDisposable
{
    /// <summary>V: how many logits each position has.</summary>
    int VocabularySize { get; }

    /// <summary>Longest sequence, in tokens.</summary>
    int MaxLength { get; }

    /// <summary>
    /// One batch. Sequences may differ in length; the model pads on the right and drops what belongs to padding.
    /// </summary>
    /// <param name="sequences">Token ids, each sequence with 1 to <see cref="MaxLength"/> tokens.</param>
    /// <returns>For each sequence of length T an array of T·V logits, row-major: row t scores token t+1.</returns>
    float[][] Logits(IReadOnlyList<int[]> sequences);
}
