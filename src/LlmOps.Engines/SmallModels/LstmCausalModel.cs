using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.SmallModels;

/// <summary>An LSTM language model as a scoring model, so that it is measured by the same code as a transformer. Each sequence begins with an empty state.</summary>
/// <param name="config">Sizes.</param>
/// <param name="run">The checkpoint, or a graph in ONNX Runtime.</param>
/// <param name="owner">What is disposed of with this.</param>
public sealed class LstmCausalModel(LstmConfig config, SmallModelRun run, IDisposable owner) : ICausalModel
{
    /// <summary>Opens the ONNX folder.</summary>
    /// <exception cref="InvalidModelException">The folder holds no LSTM language model, or ONNX Runtime cannot use it.</exception>
    public static LstmCausalModel Load(string folder)
    {
        var session = SmallModelSession.Open(folder);
        if (session.Config is LstmConfig lstm)
            return new(lstm, session.Run, session);
        session.Dispose();
        throw new InvalidModelException($"The folder holds a {session.Config.Kind}, no LSTM language model.");
    }

    /// <inheritdoc/>
    public int VocabularySize => config.VocabSize;

    /// <inheritdoc/>
    public int MaxLength => config.MaxLength;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A sequence is empty, too long, or has a token outside of the vocabulary.</exception>
    public float[][] Logits(IReadOnlyList<int[]> sequences)
    {
        if (sequences.Count == 0)
            return [];
        if (sequences.FirstOrDefault(s => s.Length < 1 || s.Length > MaxLength) is { } wrong)
            throw new ArgumentException($"A sequence has {wrong.Length} tokens; 1 to {MaxLength} are possible.", nameof(sequences));
        if (sequences.SelectMany(s => s).FirstOrDefault(id => (uint)id >= (uint)VocabularySize) is var id && id != 0)
            throw new ArgumentException($"Token {id} is outside the vocabulary of {VocabularySize}.", nameof(sequences));
        var longest = sequences.Max(s => s.Length);
        var ids = new long[sequences.Count * longest];
        foreach (var (row, sequence) in sequences.Index())
            for (var t = 0; t < sequence.Length; t++)
                ids[row * longest + t] = sequence[t];
        // What pads a row comes after its tokens, and the state runs forward only.
        var logits = run(SmallModelInputs.Lstm(config, ids, sequences.Count, longest)).Single(o => o.Name == LstmGraph.Logits).Values<float>();
        var all = new float[sequences.Count][];
        for (var row = 0; row < all.Length; row++)
            all[row] = logits.Slice(row * longest * VocabularySize, sequences[row].Length * VocabularySize).ToArray();
        return all;
    }

    /// <inheritdoc/>
    public void Dispose() => owner.Dispose();
}
