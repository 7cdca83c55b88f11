using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>An exported decoder as a scoring model: logits for every position, no cache. Safe to call from several threads.</summary>
public sealed class OnnxCausalModel : ICausalModel
{
    private readonly DecoderSession decoder;

    private OnnxCausalModel(DecoderSession decoder) => this.decoder = decoder;

    /// <inheritdoc/>
    public int VocabularySize => decoder.Config.VocabSize;

    /// <inheritdoc/>
    public int MaxLength => decoder.Config.MaxPositionEmbeddings;

    /// <summary>Opens the ONNX folder.</summary>
    /// <exception cref="InvalidModelException">The graph is missing, damaged, or does not fit its config.json.</exception>
    /// <exception cref="UnsupportedModelException">The graph's tensors have other types than 32-bit logits and cache.</exception>
    public static OnnxCausalModel Load(string folder, SessionSettings? settings = null) => new(DecoderSession.Open(folder, settings));

    /// <summary>One forward pass over all sequences as one batch, padded on the right (GroupQueryAttention takes no left padding).</summary>
    /// <returns>Per sequence its logits, [length * vocabulary], row by row.</returns>
    /// <exception cref="ArgumentException">A sequence is empty, too long, or has a token outside of the vocabulary.</exception>
    public float[][] Logits(IReadOnlyList<int[]> sequences)
    {
        if (sequences.Count == 0)
            return [];
        int batch = sequences.Count, longest = sequences.Max(s => s.Length), vocabulary = VocabularySize;
        if (sequences.Any(s => s.Length == 0))
            throw new ArgumentException("A sequence has no tokens.", nameof(sequences));
        if (longest > MaxLength)
            throw new ArgumentException($"A sequence has {longest} tokens; the model's context holds {MaxLength}.", nameof(sequences));
        long[] ids = new long[batch * longest], mask = new long[batch * longest];
        for (var row = 0; row < batch; row++)
        {
            decoder.EnsureTokens(sequences[row]);
            for (var t = 0; t < sequences[row].Length; t++)
                (ids[row * longest + t], mask[row * longest + t]) = (sequences[row][t], 1);
        }

        var inputs = new Dictionary<string, OrtValue>();
        try
        {
            inputs[DecoderGraph.InputIds] = OrtValue.CreateTensorValueFromMemory(ids, [batch, longest]);
            inputs[DecoderGraph.AttentionMask] = OrtValue.CreateTensorValueFromMemory(mask, [batch, longest]);
            for (var i = 0; i < decoder.Config.NumHiddenLayers; i++)
                foreach (var name in new[] { DecoderGraph.PastKey(i), DecoderGraph.PastValue(i) })
                    inputs[name] = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float,
                        [batch, decoder.Config.NumKeyValueHeads, 0, decoder.Config.HeadDim]);
            using var options = new RunOptions();
            using var outputs = OnnxSession.Translate(() => decoder.Session.Run(options, inputs, [DecoderGraph.Logits]));
            var logits = outputs[0].GetTensorDataAsSpan<float>();
            var result = new float[batch][];
            for (var row = 0; row < batch; row++)
                result[row] = logits.Slice(row * longest * vocabulary, sequences[row].Length * vocabulary).ToArray();
            return result;
        }
        finally
        {
            foreach (var value in inputs.Values)
                value.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => decoder.Dispose();
}
