using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>
/// One sequence that grows token by token. Each layer's keys and values live in one preallocated buffer that is bound as past and as
/// present: attention appends in place, so a step copies and allocates nothing of the cache. Not thread-safe.
/// </summary>
internal sealed class CachedDecoder(DecoderSession decoder) : IDisposable
{
    // Capacity grows in these steps, so that a short chat does not reserve the whole context.
    private const int CapacityStep = 256;
    // Prompts go through in pieces: logits come for every position, and a long prompt times a large vocabulary would fill the memory.
    private readonly int chunk = Math.Clamp((1 << 24) / decoder.Config.VocabSize, 16, 256);
    private readonly OrtIoBinding binding = decoder.Session.CreateIoBinding();
    private readonly RunOptions options = new();
    private readonly List<OrtValue> cache = [];
    private long[] ones = [];
    private float[] logits = [];
    private int capacity;

    public int Length { get; private set; }

    /// <summary>Starts a new sequence with room for <paramref name="tokens"/> tokens.</summary>
    public void Start(int tokens)
    {
        Length = 0;
        if (tokens <= capacity)
            return;
        ReleaseCache();
        capacity = Math.Min(decoder.Config.MaxPositionEmbeddings, (tokens + CapacityStep - 1) / CapacityStep * CapacityStep);
        ones = new long[capacity];
        Array.Fill(ones, 1);
        for (var i = 0; i < decoder.Config.NumHiddenLayers; i++)
        {
            Bind(DecoderGraph.PastKey(i), DecoderGraph.PresentKey(i));
            Bind(DecoderGraph.PastValue(i), DecoderGraph.PresentValue(i));
        }
    }

    private void Bind(string past, string present)
    {
        var buffer = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float,
            [1, decoder.Config.NumKeyValueHeads, capacity, decoder.Config.HeadDim]);
        // Attention multiplies masked positions by zero, and zero times whatever was in this memory might be NaN.
        buffer.GetTensorMutableDataAsSpan<float>().Clear();
        cache.Add(buffer);
        binding.BindInput(past, buffer);
        binding.BindOutput(present, buffer);
    }

    /// <summary>Appends tokens and returns the logits after the last one; valid until the next call.</summary>
    public ReadOnlySpan<float> Append(ReadOnlySpan<int> tokens, CancellationToken ct = default)
    {
        if (Length + tokens.Length > capacity)
            throw new InvalidOperationException($"The cache has room for {capacity} tokens, and {Length + tokens.Length} are needed.");
        var last = 0;
        for (var start = 0; start < tokens.Length; start += chunk)
        {
            ct.ThrowIfCancellationRequested();
            last = Math.Min(chunk, tokens.Length - start);
            Step(tokens.Slice(start, last));
        }
        return logits.AsSpan((last - 1) * decoder.Config.VocabSize, decoder.Config.VocabSize);
    }

    private void Step(ReadOnlySpan<int> tokens)
    {
        int count = tokens.Length, vocabulary = decoder.Config.VocabSize;
        if (logits.Length < count * vocabulary)
            logits = new float[count * vocabulary];
        var ids = new long[count];
        for (var i = 0; i < count; i++)
            ids[i] = tokens[i];
        using var input = OrtValue.CreateTensorValueFromMemory(ids, [1, count]);
        using var mask = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, ones.AsMemory(0, Length + count), [1, Length + count]);
        using var output = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, logits.AsMemory(0, count * vocabulary), [1, count, vocabulary]);
        binding.BindInput(DecoderGraph.InputIds, input);
        binding.BindInput(DecoderGraph.AttentionMask, mask);
        binding.BindOutput(DecoderGraph.Logits, output);
        OnnxSession.Translate(() =>
        {
            decoder.Session.RunWithBinding(options, binding);
            return 0;
        });
        Length += count;
    }

    private void ReleaseCache()
    {
        binding.ClearBoundInputs();
        binding.ClearBoundOutputs();
        foreach (var buffer in cache)
            buffer.Dispose();
        cache.Clear();
    }

    public void Dispose()
    {
        ReleaseCache();
        binding.Dispose();
        options.Dispose();
    }
}
