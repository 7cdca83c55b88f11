namespace LlmOps.Engines.Evaluation;

/// <summary>Is shown the logits after one token. May be called from several threads at once, in any order.</summary>
/// <param name="sequence">Index of the sequence in its batch.</param>
/// <param name="position">Index of the token: its logits score the next one.</param>
/// <param name="logits">V values, valid during the call only.</param>
public delegate void LogitVisitor(int sequence, int position, ReadOnlySpan<float> logits);

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

    /// <summary>
    /// One batch whose logits are looked at and not kept: from a position on, for each sequence. A model that can show them where they are,
    /// on all cores, overrides this.
    /// </summary>
    /// <param name="sequences">Token ids, as for <see cref="Logits"/>.</param>
    /// <param name="from">For each sequence the first position whose logits are wanted.</param>
    /// <param name="visit">Called once for each wanted position.</param>
    /// <exception cref="InvalidModelException">The model gives another number of logits than it should.</exception>
    void Visit(IReadOnlyList<int[]> sequences, IReadOnlyList<int> from, LogitVisitor visit)
    {
        var logits = Logits(sequences);
        for (var i = 0; i < sequences.Count; i++)
            if (logits[i].Length != (long)sequences[i].Length * VocabularySize)
                throw new InvalidModelException($"The model gave {logits[i].Length} logits for {sequences[i].Length} tokens of a vocabulary of {VocabularySize}.");
        Parallel.For(0, sequences.Count, i =>
        {
            for (var t = from[i]; t < sequences[i].Length; t++)
                visit(i, t, logits[i].AsSpan(t * VocabularySize, VocabularySize));
        });
    }
}
