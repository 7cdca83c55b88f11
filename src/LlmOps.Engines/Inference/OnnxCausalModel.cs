using System.Collections.Concurrent;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>An exported decoder as a scoring model: logits for every position, no cache. Safe to call from several threads.</summary>
public sealed class OnnxCausalModel : ICausalModel
{
    private readonly DecoderSession decoder;
    private readonly OrtLoraAdapter? adapter;

    private OnnxCausalModel(DecoderSession decoder, OrtLoraAdapter? adapter) => (this.decoder, this.adapter) = (decoder, adapter);

    /// <inheritdoc/>
    public int VocabularySize => decoder.Config.VocabSize;

    /// <inheritdoc/>
    public int MaxLength => decoder.Config.MaxPositionEmbeddings;

    private DecoderInterface Form => decoder.Step.Form;

    /// <summary>Opens the ONNX folder.</summary>
    /// <param name="folder">model.onnx with its companions.</param>
    /// <param name="settings">How to run it.</param>
    /// <param name="adapterFile">An <c>.onnx_adapter</c> file for this graph, or null.</param>
    /// <exception cref="InvalidModelException">The graph is missing, damaged, or does not fit its config.json.</exception>
    /// <exception cref="UnsupportedModelException">The graph's tensors have types that are not supported, or it gives logits of the last position only.</exception>
    public static OnnxCausalModel Load(string folder, SessionSettings? settings = null, string? adapterFile = null)
    {
        var decoder = DecoderSession.Open(folder, settings, withPrefill: false);
        if (!decoder.Step.Form.LastLogitsOnly)
            return new(decoder, OpenAdapter(decoder, adapterFile));
        decoder.Dispose();
        throw new UnsupportedModelException($"{OnnxModel.FileName} gives logits of the last position only: it can generate, but scoring needs them for every position.");
    }

    private static OrtLoraAdapter? OpenAdapter(DecoderSession decoder, string? adapterFile)
    {
        if (adapterFile is null)
            return null;
        try
        {
            new AdapterValues(decoder.Step.Session, adapterFile).Dispose(); // for its checks: ONNX Runtime's come late and name little
            return OnnxSession.Translate(() => OrtLoraAdapter.Create(adapterFile, null));
        }
        catch
        {
            decoder.Dispose();
            throw;
        }
    }

    /// <summary>One forward pass over all sequences as one batch, padded on the right (GroupQueryAttention takes no left padding).</summary>
    /// <returns>Per sequence its logits, [length * vocabulary], row by row.</returns>
    /// <exception cref="ArgumentException">A sequence is empty, too long, or has a token outside of the vocabulary.</exception>
    public float[][] Logits(IReadOnlyList<int[]> sequences)
    {
        var result = sequences.Select(s => new float[s.Length * VocabularySize]).ToArray();
        Visit(sequences, new int[sequences.Count], (sequence, position, logits) => logits.CopyTo(result[sequence].AsSpan(position * VocabularySize)));
        return result;
    }

    /// <summary>Shows the logits in ONNX Runtime's own memory, on all cores.</summary>
    /// <exception cref="ArgumentException">A sequence is empty, too long, or has a token outside of the vocabulary.</exception>
    public void Visit(IReadOnlyList<int[]> sequences, IReadOnlyList<int> from, LogitVisitor visit)
    {
        if (sequences.Count == 0)
            return;
        var longest = sequences.Max(s => s.Length);
        if (sequences.Any(s => s.Length == 0))
            throw new ArgumentException("A sequence has no tokens.", nameof(sequences));
        if (longest > MaxLength)
            throw new ArgumentException($"A sequence has {longest} tokens; the model's context holds {MaxLength}.", nameof(sequences));
        var inputs = new Dictionary<string, OrtValue>();
        try
        {
            AddTokens(inputs, sequences, longest);
            for (var i = 0; i < Form.Layers; i++)
                foreach (var name in new[] { DecoderGraph.PastKey(i), DecoderGraph.PastValue(i) })
                    inputs[name] = TensorMemory.Host.Allocate(Form.Cache, sequences.Count, Form.Heads, 0, Form.Width);
            using var options = new RunOptions();
            if (adapter is not null)
                options.AddActiveLoraAdapter(adapter);
            using var outputs = OnnxSession.Translate(() => decoder.Step.Session.Run(options, inputs, [DecoderGraph.Logits]));
            Show(outputs[0], sequences, from, longest, visit);
        }
        finally
        {
            foreach (var value in inputs.Values)
                value.Dispose();
        }
    }

    private void AddTokens(Dictionary<string, OrtValue> inputs, IReadOnlyList<int[]> sequences, int longest)
    {
        int batch = sequences.Count;
        long[] ids = new long[batch * longest], mask = new long[batch * longest], positions = new long[batch * longest];
        for (var row = 0; row < batch; row++)
        {
            decoder.EnsureTokens(sequences[row]);
            for (var t = 0; t < longest; t++)
                (ids[row * longest + t], mask[row * longest + t], positions[row * longest + t]) = t < sequences[row].Length ? (sequences[row][t], 1, t) : (0, 0, t);
        }
        inputs[DecoderGraph.InputIds] = OrtValue.CreateTensorValueFromMemory(ids, [batch, longest]);
        inputs[DecoderGraph.AttentionMask] = OrtValue.CreateTensorValueFromMemory(mask, [batch, longest]);
        if (Form.HasPositions)
            inputs[DecoderInterface.PositionIds] = OrtValue.CreateTensorValueFromMemory(positions, [batch, longest]);
    }

    // Positions of all sequences are dealt out to the cores in runs, so that one long sequence keeps all of them busy too.
    private unsafe void Show(OrtValue output, IReadOnlyList<int[]> sequences, IReadOnlyList<int> from, int longest, LogitVisitor visit)
    {
        var wanted = new List<(int Sequence, int Position)>();
        for (var i = 0; i < sequences.Count; i++)
            for (var t = from[i]; t < sequences[i].Length; t++)
                wanted.Add((i, t));
        if (wanted.Count == 0)
            return;
        var (type, vocabulary) = (Form.Logits, VocabularySize);
        fixed (byte* start = output.GetTensorMutableRawData())
        {
            var logits = start;
            Parallel.ForEach(Partitioner.Create(0, wanted.Count, Math.Max(1, wanted.Count / (8 * Environment.ProcessorCount))), range =>
            {
                var widened = type == TensorElementType.Float ? [] : new float[vocabulary];
                for (var i = range.Item1; i < range.Item2; i++)
                {
                    var (sequence, position) = wanted[i];
                    var at = logits + ((long)sequence * longest + position) * vocabulary * TensorMemory.Size(type);
                    if (type != TensorElementType.Float)
                        BoundDecoder.Widen(new(at, 2 * vocabulary), type, widened);
                    visit(sequence, position, type == TensorElementType.Float ? new ReadOnlySpan<float>(at, vocabulary) : widened);
                }
            });
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        adapter?.Dispose();
        decoder.Dispose();
    }
}
