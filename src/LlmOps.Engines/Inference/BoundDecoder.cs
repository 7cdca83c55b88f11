using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>One graph with its inputs and outputs bound to memory that stays: a step writes token ids and reads logits. Not thread-safe.</summary>
internal sealed class BoundDecoder : IDisposable
{
    // Logits come for every position of a chunk, and a long prompt times a large vocabulary would fill the memory.
    private const int MostLogits = 1 << 24;
    private readonly DecoderGraphSession graph;
    private readonly OrtIoBinding binding;
    private readonly RunOptions options = new();
    private readonly TensorBuffer ids, mask, positions, logits;
    private KeyValueCache? cache;
    private AdapterValues? adapter;
    private readonly Dictionary<KeyValueCache, FixedStep> fixedSteps = [];
    private TensorBuffer shown;
    private float[] row = [];
    private int columns;

    public BoundDecoder(DecoderGraphSession graph)
    {
        this.graph = graph;
        binding = graph.Session.CreateIoBinding();
        (ids, mask, positions) = (new(graph.Transfer, TensorElementType.Int64), new(graph.Transfer, TensorElementType.Int64), new(graph.Transfer, TensorElementType.Int64));
        shown = logits = new(graph.Transfer, graph.Form.Logits);
        if (graph.FixedShapes)
            options.AddRunConfigEntry("gpu_graph_id", "-1"); // a long step has a shape of its own: not to be captured
        LongestStep = graph.Form.LastLogitsOnly ? 1024 : Math.Clamp(MostLogits / graph.Vocabulary, 16, 512);
    }

    /// <summary>Most tokens of one step, for one sequence.</summary>
    public int LongestStep { get; }

    /// <summary>Adds tokens to each sequence of the cache, row by row.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; the cache is as it was before.</exception>
    public void Run(KeyValueCache target, ReadOnlySpan<int> tokens, CancellationToken ct)
    {
        int rows = target.Rows, count = tokens.Length / rows, total = target.Length + count;
        columns = graph.Form.LastLogitsOnly ? 1 : count;
        if (graph.FixedShapes && count == 1)
        {
            RunFixed(target, tokens, ct);
            return;
        }
        shown = logits;
        using OrtValue input = ids.Shape(rows, count), masked = mask.Shape(rows, total), output = logits.Shape(rows, columns, graph.Vocabulary);
        var target64 = ids.Values<long>(0, tokens.Length);
        for (var i = 0; i < tokens.Length; i++)
            target64[i] = tokens[i];
        mask.Values<long>(0, rows * total).Fill(1);
        binding.BindInput(DecoderGraph.InputIds, input);
        binding.BindInput(DecoderGraph.AttentionMask, masked);
        using var placed = graph.Form.HasPositions ? Positions(rows, count, target.Length) : null;
        binding.BindOutput(DecoderGraph.Logits, output);
        if (cache != target)
            cache?.Unbind();
        cache = target;
        target.Bind(binding, count);
        Run(binding, options, ct);
        target.Advance(count);
    }

    private void RunFixed(KeyValueCache target, ReadOnlySpan<int> tokens, CancellationToken ct)
    {
        if (!fixedSteps.TryGetValue(target, out var step))
        {
            fixedSteps[target] = step = new(graph, target);
            adapter?.Bind(step.Binding);
        }
        step.Write(tokens);
        Run(step.Binding, step.Options, ct);
        step.Read();
        shown = step.Logits;
        target.Advance(1);
    }

    private OrtValue Positions(int rows, int count, int first)
    {
        var value = positions.Shape(rows, count);
        var numbers = positions.Values<long>(0, rows * count);
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = first + i % count;
        binding.BindInput(DecoderInterface.PositionIds, value);
        return value;
    }

    private void Run(OrtIoBinding binding, RunOptions options, CancellationToken ct)
    {
        options.Terminate = false;
        // ONNX Runtime looks at the flag before every node: a long prefill ends within one.
        using var cancelled = ct.Register(() => options.Terminate = true);
        try
        {
            var onDevice = !ReferenceEquals(graph.Transfer, TensorMemory.Host);
            if (onDevice)
                binding.SynchronizeBoundInputs();
            graph.Session.RunWithBinding(options, binding);
            if (onDevice)
                binding.SynchronizeBoundOutputs();
        }
        catch (OnnxRuntimeException) when (ct.IsCancellationRequested)
        {
            throw new OperationCanceledException(ct);
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidModelException($"ONNX Runtime cannot run {graph.FileName}: {e.Message}");
        }
    }

    /// <summary>The last run's logits after the token at this place of this row, as 32-bit floats; valid until the next call.</summary>
    public ReadOnlySpan<float> Logits(int sequence, int column)
    {
        var start = checked((sequence * columns + column) * graph.Vocabulary);
        if (graph.Form.Logits == TensorElementType.Float)
            return shown.Values<float>(start, graph.Vocabulary);
        if (row.Length == 0)
            row = new float[graph.Vocabulary];
        Widen(MemoryMarshal.AsBytes(shown.Values<ushort>(start, graph.Vocabulary)), graph.Form.Logits, row);
        return row;
    }

    /// <summary>Converts 16-bit floats of either kind.</summary>
    public static void Widen(ReadOnlySpan<byte> source, TensorElementType type, Span<float> target)
    {
        if (type == TensorElementType.Float16)
        {
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), target);
            return;
        }
        // A bfloat16 is the upper half of a float.
        var halves = MemoryMarshal.Cast<byte, ushort>(source);
        for (var i = 0; i < halves.Length; i++)
            target[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
    }

    /// <summary>The last column of the last run: its logits predict what follows.</summary>
    public ReadOnlySpan<float> LastLogits(int sequence) => Logits(sequence, columns - 1);

    /// <summary>Reads an adapter for this graph; null when neither the file nor an adapter before asks for any.</summary>
    public AdapterValues? ReadAdapter(string? adapterFile) => adapterFile is null && adapter is null ? null : new(graph.Session, adapterFile);

    /// <summary>Adds an adapter to every run from now on, in place of the one before; disposed here.</summary>
    public void UseAdapter(AdapterValues? next)
    {
        next?.Bind(binding);
        adapter?.Dispose();
        adapter = next;
    }

    /// <summary>Lets go of a cache that is about to be disposed.</summary>
    public void Release(KeyValueCache released)
    {
        if (fixedSteps.Remove(released, out var step))
            step.Dispose();
        if (cache != released)
            return;
        released.Unbind();
        cache = null;
    }

    public void Dispose()
    {
        cache?.Unbind();
        foreach (var step in fixedSteps.Values)
            step.Dispose();
        binding.Dispose();
        adapter?.Dispose();
        options.Dispose();
        foreach (var buffer in new[] { ids, mask, positions, logits })
            buffer.Dispose();
    }
}
