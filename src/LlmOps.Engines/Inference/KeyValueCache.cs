using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Inference;

/// <summary>
/// The keys and values of a batch of equally long sequences. Where attention appends in place, each tensor is one buffer of the whole capacity,
/// bound as past and as present; otherwise there are two, and each step writes past and new tokens into the other one. Either way a step
/// allocates nothing of the cache.
/// </summary>
internal sealed unsafe class KeyValueCache : IDisposable
{
    private readonly DecoderInterface form;
    private readonly TensorMemory memory;
    private readonly TensorBuffer[] current, other;
    private readonly List<OrtValue> bound = [];
    private OrtIoBinding? boundTo;

    /// <param name="form">What the graph wants.</param>
    /// <param name="memory">Where the cache lies.</param>
    /// <param name="rows">Sequences.</param>
    /// <param name="capacity">Tokens of each.</param>
    /// <exception cref="ArgumentException">One tensor would pass 2 GiB.</exception>
    public KeyValueCache(DecoderInterface form, TensorMemory memory, int rows, int capacity)
    {
        (this.form, this.memory, Rows, Capacity) = (form, memory, rows, capacity);
        if (ElementsPerToken * TensorMemory.Size(form.Cache) * capacity > int.MaxValue)
            throw new ArgumentException($"{rows} sequences of {capacity} tokens need more than 2 GiB for the keys of one layer; use fewer at a time.");
        current = Buffers();
        other = form.AppendsInPlace ? current : Buffers();
    }

    public int Rows { get; }
    public int Capacity { get; }
    public int Length { get; private set; }

    /// <summary>The tokens in the cache, as far as they are known: only for one sequence.</summary>
    public List<int> Tokens { get; } = [];

    /// <summary>For choosing the one that was not used for longest.</summary>
    public long LastUsed { get; set; }

    public long Bytes => Size(form, Rows, Capacity);

    private long ElementsPerToken => (long)Rows * form.Heads * form.Width;

    public static long Size(DecoderInterface form, int rows, int capacity) =>
        2L * form.Layers * (form.AppendsInPlace ? 1 : 2) * rows * form.Heads * form.Width * capacity * TensorMemory.Size(form.Cache);

    private TensorBuffer[] Buffers()
    {
        var buffers = new TensorBuffer[2 * form.Layers];
        for (var i = 0; i < buffers.Length; i++)
        {
            buffers[i] = new(memory, form.Cache);
            buffers[i].Reserve(ElementsPerToken * Capacity);
            // Attention multiplies masked positions by zero, and zero times whatever was in this memory might be NaN.
            if (memory.IsReadable)
                new Span<byte>(buffers[i].Address, (int)(ElementsPerToken * Capacity * TensorMemory.Size(form.Cache))).Clear();
        }
        return buffers;
    }

    /// <summary>Makes the cache the past and the present of the next run, which adds so many tokens.</summary>
    public void Bind(OrtIoBinding binding, int adding)
    {
        if (form.AppendsInPlace && boundTo == binding)
            return;
        Unbind();
        boundTo = binding;
        BindTo(binding, bound, adding);
    }

    /// <summary>The same for a binding that is never used for another cache; the values belong to it and live as long.</summary>
    public void BindTo(OrtIoBinding binding, List<OrtValue> values, int adding = 0)
    {
        for (var i = 0; i < current.Length; i++)
        {
            var (past, present) = i % 2 == 0 ? (DecoderGraph.PastKey(i / 2), DecoderGraph.PresentKey(i / 2)) : (DecoderGraph.PastValue(i / 2), DecoderGraph.PresentValue(i / 2));
            values.Add(current[i].Shape(Rows, form.Heads, form.AppendsInPlace ? Capacity : Length, form.Width));
            binding.BindInput(past, values[^1]);
            if (!form.AppendsInPlace)
                values.Add(other[i].Shape(Rows, form.Heads, Length + adding, form.Width));
            binding.BindOutput(present, values[^1]);
        }
    }

    /// <summary>The first token of one head of the one row, for copies between caches in memory that this process reads.</summary>
    /// <param name="tensor">0 and 1 are keys and values of the first layer, and so on.</param>
    /// <param name="head">Key/value head.</param>
    public byte* Head(int tensor, int head) => current[tensor].Address + (long)head * Stride(Length) * form.Width * TensorMemory.Size(form.Cache);

    /// <summary>A run has added tokens.</summary>
    public void Advance(int added)
    {
        if (!form.AppendsInPlace)
            Swap();
        Length += added;
    }

    /// <summary>Another cache is bound where this one was.</summary>
    public void Unbind()
    {
        boundTo = null;
        foreach (var value in bound)
            value.Dispose();
        bound.Clear();
    }

    /// <summary>Forgets what follows the first tokens. False where that would need access to memory that only the device has.</summary>
    public bool Truncate(int length)
    {
        if (length != Length && length > 0 && !form.AppendsInPlace)
        {
            if (!memory.IsReadable)
                return false;
            CopyRows(this, other, length);
            Swap();
        }
        Length = length;
        Tokens.RemoveRange(Math.Min(length, Tokens.Count), Math.Max(0, Tokens.Count - length));
        return true;
    }

    /// <summary>Starts as another cache's first tokens, for every row if that has only one. False where this needs access to memory that only the device has.</summary>
    public bool TryCopy(KeyValueCache source, int length)
    {
        if (length > 0 && !memory.IsReadable && !CopyOnDevice(source, length))
            return false;
        if (length > 0 && memory.IsReadable)
            CopyRows(source, current, length);
        Length = length;
        Tokens.Clear();
        Tokens.AddRange(source.Tokens.Take(length));
        return true;
    }

    // Tokens from one head to the next: in place the whole capacity, otherwise the length at hand.
    private int Stride(int length) => form.AppendsInPlace ? Capacity : length;

    private void CopyRows(KeyValueCache source, TensorBuffer[] target, int length)
    {
        var token = form.Width * TensorMemory.Size(form.Cache);
        long from = (long)source.Stride(source.Length) * token, to = (long)Stride(length) * token, bytes = (long)length * token;
        for (var i = 0; i < target.Length; i++)
            for (var row = 0; row < Rows; row++)
                for (var head = 0; head < form.Heads; head++)
                    Buffer.MemoryCopy(source.current[i].Address + ((source.Rows == 1 ? 0 : row) * form.Heads + head) * from,
                        target[i].Address + (row * form.Heads + head) * to, bytes, bytes);
    }

    // Only whole tensors can be copied there: the strides of both have to be the same.
    private bool CopyOnDevice(KeyValueCache source, int length)
    {
        if (source.Rows != 1 || source.Stride(source.Length) != Stride(length))
            return false;
        var (from, to) = (new List<OrtValue>(), new List<OrtValue>());
        try
        {
            long[] shape = [1, form.Heads, Stride(length), form.Width];
            var bytes = ElementsPerToken / Rows * Stride(length) * TensorMemory.Size(form.Cache);
            for (var i = 0; i < current.Length; i++)
                for (var row = 0; row < Rows; row++)
                {
                    from.Add(source.current[i].Shape(shape));
                    to.Add(OrtValue.CreateTensorValueWithData(memory.Location, form.Cache, shape, (IntPtr)(current[i].Address + row * bytes), bytes));
                }
            OrtEnv.Instance().CopyTensors(from, to, null);
            return true;
        }
        catch (OnnxRuntimeException)
        {
            return false; // not every provider brings copies along
        }
        finally
        {
            foreach (var value in from.Concat(to))
                value.Dispose();
        }
    }

    private void Swap()
    {
        for (var i = 0; i < current.Length; i++)
            (current[i], other[i]) = (other[i], current[i]);
    }

    public void Dispose()
    {
        Unbind();
        foreach (var buffer in form.AppendsInPlace ? current : [.. current, .. other])
            buffer.Dispose();
    }
}
