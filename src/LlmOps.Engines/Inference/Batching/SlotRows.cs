using System.Runtime.InteropServices;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference.Batching;

/// <summary>All rows in one run of the graph: each new token stands at its row's own position, and attends to its own row's tokens only.</summary>
internal sealed class SlotRows : DecodeRows
{
    // Beyond this an idle model gives the memory back.
    private const long KeptBytes = 256L << 20;
    private readonly DecoderGraphSession graph;
    private readonly SlotCache cache;
    private readonly OrtIoBinding binding;
    private readonly RunOptions options = new();
    private readonly TensorBuffer ids, mask, positions, logits;
    private readonly List<int> lengths = [];
    private readonly int context;
    private float[] widened = [];

    public SlotRows(DecoderSession decoder)
    {
        (graph, context) = (decoder.Step, decoder.Config.MaxPositionEmbeddings);
        cache = new(graph.Form, graph.Memory, context);
        binding = graph.Session.CreateIoBinding();
        (ids, mask, positions) = (new(graph.Transfer, TensorElementType.Int64), new(graph.Transfer, TensorElementType.Int64), new(graph.Transfer, TensorElementType.Int64));
        logits = new(graph.Transfer, graph.Form.Logits);
    }

    public override int Count => lengths.Count;

    public override long Bytes => cache.Bytes;

    public override void Join(KeyValueCache source)
    {
        cache.Reserve(lengths.Count + 1, source.Length + 1, CollectionsMarshal.AsSpan(lengths));
        cache.Load(lengths.Count, source);
        lengths.Add(source.Length);
    }

    public override void Leave(int row, Action<Action<KeyValueCache, int>>? keep)
    {
        keep?.Invoke((target, from) => cache.Store(row, target, from, lengths[row]));
        if (row != lengths.Count - 1)
        {
            cache.Move(lengths.Count - 1, row, lengths[^1]);
            lengths[row] = lengths[^1];
        }
        lengths.RemoveAt(lengths.Count - 1);
        if (lengths.Count == 0 && cache.Bytes > KeptBytes)
            cache.Free();
    }

    public override void Step(ReadOnlySpan<int> tokens, RowLogits see)
    {
        var (rows, longest) = (lengths.Count, lengths.Max() + 1);
        cache.Reserve(rows, longest, CollectionsMarshal.AsSpan(lengths));
        using OrtValue input = ids.Shape(rows, 1), masked = mask.Shape(rows, longest), placed = positions.Shape(rows, 1), output = logits.Shape(rows, 1, graph.Vocabulary);
        Write(tokens, longest);
        binding.BindInput(DecoderGraph.InputIds, input);
        binding.BindInput(DecoderGraph.AttentionMask, masked);
        if (graph.Form.HasPositions)
            binding.BindInput(DecoderInterface.PositionIds, placed);
        binding.BindOutput(DecoderGraph.Logits, output);
        cache.Bind(binding, rows);
        try
        {
            graph.Session.RunWithBinding(options, binding);
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidModelException($"ONNX Runtime cannot run {graph.FileName}: {e.Message}");
        }
        for (var row = 0; row < rows; row++)
            lengths[row]++;
        for (var row = 0; row < rows; row++)
            see(row, Logits(row));
    }

    private void Write(ReadOnlySpan<int> tokens, int longest)
    {
        var rows = tokens.Length;
        Span<long> nextIds = ids.Values<long>(0, rows), nextPositions = positions.Values<long>(0, rows), seen = mask.Values<long>(0, rows * longest);
        for (var row = 0; row < rows; row++)
        {
            (nextIds[row], nextPositions[row]) = (tokens[row], lengths[row]);
            seen.Slice(row * longest, lengths[row] + 1).Fill(1);
            seen[(row * longest + lengths[row] + 1)..((row + 1) * longest)].Clear();
        }
    }

    private ReadOnlySpan<float> Logits(int row)
    {
        var start = checked(row * graph.Vocabulary);
        if (graph.Form.Logits == TensorElementType.Float)
            return logits.Values<float>(start, graph.Vocabulary);
        if (widened.Length == 0)
            widened = new float[graph.Vocabulary];
        BoundDecoder.Widen(MemoryMarshal.AsBytes(logits.Values<ushort>(start, graph.Vocabulary)), graph.Form.Logits, widened);
        return widened;
    }

    public override void Dispose()
    {
        cache.Dispose();
        binding.Dispose();
        options.Dispose();
        foreach (var buffer in new[] { ids, mask, positions, logits })
            buffer.Dispose();
    }
}
