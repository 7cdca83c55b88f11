using System.Globalization;
using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>
/// The step of one token for one cache, in which neither a shape nor an address ever changes, so that a CUDA graph can be captured and replayed: the
/// mask is as long as the cache's capacity with zeros after the tokens, and everything is bound once. Only for attention that appends in place.
/// </summary>
internal sealed class FixedStep : IDisposable
{
    // 0 is reserved, and each graph holds the addresses of its cache.
    private static int lastGraph;
    private readonly DecoderGraphSession graph;
    private readonly KeyValueCache cache;
    private readonly List<OrtValue> bound = [];
    private readonly Part ids, mask, positions, logits;

    public FixedStep(DecoderGraphSession graph, KeyValueCache cache)
    {
        (this.graph, this.cache) = (graph, cache);
        Binding = graph.Session.CreateIoBinding();
        Options.AddRunConfigEntry("gpu_graph_id", Interlocked.Increment(ref lastGraph).ToString(CultureInfo.InvariantCulture));
        ids = new(graph, TensorElementType.Int64, cache.Rows, 1);
        mask = new(graph, TensorElementType.Int64, cache.Rows, cache.Capacity);
        positions = new(graph, TensorElementType.Int64, cache.Rows, 1);
        logits = new(graph, graph.Form.Logits, cache.Rows, 1, graph.Vocabulary);
        Binding.BindInput(DecoderGraph.InputIds, ids.Bound);
        Binding.BindInput(DecoderGraph.AttentionMask, mask.Bound);
        if (graph.Form.HasPositions)
            Binding.BindInput(DecoderInterface.PositionIds, positions.Bound);
        Binding.BindOutput(DecoderGraph.Logits, logits.Bound);
        cache.BindTo(Binding, bound);
        mask.Values<long>().Clear();
    }

    public OrtIoBinding Binding { get; }
    public RunOptions Options { get; } = new();

    /// <summary>Where the logits can be read after <see cref="Read"/>.</summary>
    public TensorBuffer Logits => logits.Staging;

    /// <summary>Puts the next token of each row where the run looks for it.</summary>
    public void Write(ReadOnlySpan<int> tokens)
    {
        Span<long> nextIds = ids.Values<long>(), nextPositions = positions.Values<long>(), nextMask = mask.Values<long>();
        for (var row = 0; row < cache.Rows; row++)
        {
            (nextIds[row], nextPositions[row]) = (tokens[row], cache.Length);
            var seen = nextMask.Slice(row * cache.Capacity, cache.Capacity);
            seen[..(cache.Length + 1)].Fill(1);
            seen[(cache.Length + 1)..].Clear();
        }
        Part.Copy([ids, mask, positions], toDevice: true);
    }

    /// <summary>Brings the logits to where they can be read.</summary>
    public void Read() => Part.Copy([logits], toDevice: false);

    public void Dispose()
    {
        foreach (var part in new[] { ids, mask, positions, logits })
            part.Dispose();
        foreach (var value in bound)
            value.Dispose();
        Binding.Dispose();
        Options.Dispose();
    }

    /// <summary>A tensor in the device's memory and its double in memory that this process reads; one and the same where that is possible.</summary>
    private sealed class Part : IDisposable
    {
        private readonly TensorBuffer device;
        private readonly int count;

        public Part(DecoderGraphSession graph, TensorElementType type, params long[] shape)
        {
            device = new(graph.Memory, type);
            Bound = device.Shape(shape);
            Staging = graph.Memory.IsReadable ? device : new(graph.Transfer, type);
            Staged = graph.Memory.IsReadable ? null : Staging.Shape(shape);
            count = (int)shape.Aggregate(1L, (a, b) => a * b);
        }

        public OrtValue Bound { get; }
        public TensorBuffer Staging { get; }
        private OrtValue? Staged { get; }

        public Span<T> Values<T>() where T : unmanaged => Staging.Values<T>(0, count);

        public static void Copy(Part[] parts, bool toDevice)
        {
            if (parts[0].Staged is null)
                return;
            OrtValue[] staged = [.. parts.Select(p => p.Staged!)], onDevice = [.. parts.Select(p => p.Bound)];
            try
            {
                OrtEnv.Instance().CopyTensors(toDevice ? staged : onDevice, toDevice ? onDevice : staged, null);
            }
            catch (OnnxRuntimeException e)
            {
                throw new UnsupportedModelException($"CUDA graphs need copies between host and device, which this ONNX Runtime does not offer: {e.Message} Set CudaGraph to false.", e);
            }
        }

        public void Dispose()
        {
            Bound.Dispose();
            Staged?.Dispose();
            device.Dispose();
            if (Staging != device)
                Staging.Dispose();
        }
    }
}
