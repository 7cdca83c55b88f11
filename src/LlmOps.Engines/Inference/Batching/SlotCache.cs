using LlmOps.Engines.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Inference.Batching;

/// <summary>
/// Keys and values of sequences of different lengths that grow together: for each tensor one buffer [rows, heads, capacity, width], of which a step binds the first
/// rows. Only for attention that appends in place, in memory that this process reads.
/// </summary>
internal sealed unsafe class SlotCache(DecoderInterface form, TensorMemory memory, int context) : IDisposable
{
    private const int CapacityStep = 256;
    private readonly int tokenBytes = form.Width * TensorMemory.Size(form.Cache);
    private readonly List<OrtValue> bound = [];
    private TensorBuffer[] buffers = [];
    private int boundRows;

    /// <summary>Rows that there is memory for.</summary>
    public int Slots { get; private set; }

    /// <summary>Tokens that each row has room for.</summary>
    public int Capacity { get; private set; }

    public long Bytes => 2L * form.Layers * Slots * RowBytes;

    private long RowBytes => (long)form.Heads * Capacity * tokenBytes;

    /// <summary>Makes room and keeps what the first rows hold. Capacity grows by half at least, so that copying stays rare.</summary>
    public void Reserve(int rows, int tokens, ReadOnlySpan<int> lengths)
    {
        if (rows <= Slots && tokens <= Capacity)
            return;
        var wanted = (Math.Max(tokens, Capacity + Capacity / 2) + CapacityStep - 1) / CapacityStep * CapacityStep;
        var capacity = tokens <= Capacity ? Capacity : Math.Max(tokens, Math.Min(context, wanted));
        var slots = rows <= Slots ? Slots : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)rows);
        var grown = new TensorBuffer[2 * form.Layers];
        long from = (long)Capacity * tokenBytes, to = (long)capacity * tokenBytes;
        for (var i = 0; i < grown.Length; i++)
        {
            grown[i] = new(memory, form.Cache);
            grown[i].Reserve((long)slots * form.Heads * capacity * form.Width);
            // Attention multiplies masked positions by zero, and zero times whatever was in this memory might be NaN.
            NativeClear(grown[i].Address, slots * form.Heads * to);
            for (var row = 0; row < lengths.Length; row++)
                for (var head = 0; head < form.Heads; head++)
                    Buffer.MemoryCopy(buffers[i].Address + (row * form.Heads + head) * from, grown[i].Address + (row * form.Heads + head) * to, to, (long)lengths[row] * tokenBytes);
        }
        Free();
        (buffers, Slots, Capacity) = (grown, slots, capacity);
    }

    /// <summary>Fills a row with a sequence that was computed by itself.</summary>
    public void Load(int row, KeyValueCache source)
    {
        for (var i = 0; i < buffers.Length; i++)
            for (var head = 0; head < form.Heads; head++)
                Buffer.MemoryCopy(source.Head(i, head), Address(i, row, head), (long)Capacity * tokenBytes, (long)source.Length * tokenBytes);
    }

    /// <summary>Copies tokens of a row to where a sequence is kept by itself.</summary>
    public void Store(int row, KeyValueCache target, int from, int to)
    {
        for (var i = 0; i < buffers.Length; i++)
            for (var head = 0; head < form.Heads; head++)
                Buffer.MemoryCopy(Address(i, row, head) + (long)from * tokenBytes, target.Head(i, head) + (long)from * tokenBytes, (long)(to - from) * tokenBytes, (long)(to - from) * tokenBytes);
    }

    /// <summary>Copies a row over another one.</summary>
    public void Move(int row, int over, int length)
    {
        for (var i = 0; i < buffers.Length; i++)
            for (var head = 0; head < form.Heads; head++)
                Buffer.MemoryCopy(Address(i, row, head), Address(i, over, head), (long)length * tokenBytes, (long)length * tokenBytes);
    }

    /// <summary>Binds the first rows as past and present.</summary>
    public void Bind(OrtIoBinding binding, int rows)
    {
        if (rows == boundRows)
            return;
        Unbind();
        for (var i = 0; i < buffers.Length; i++)
        {
            var (past, present) = i % 2 == 0 ? (DecoderGraph.PastKey(i / 2), DecoderGraph.PresentKey(i / 2)) : (DecoderGraph.PastValue(i / 2), DecoderGraph.PresentValue(i / 2));
            bound.Add(buffers[i].Shape(rows, form.Heads, Capacity, form.Width));
            binding.BindInput(past, bound[^1]);
            binding.BindOutput(present, bound[^1]);
        }
        boundRows = rows;
    }

    /// <summary>Gives the memory back.</summary>
    public void Free()
    {
        Unbind();
        foreach (var buffer in buffers)
            buffer.Dispose();
        (buffers, Slots, Capacity) = ([], 0, 0);
    }

    public void Dispose() => Free();

    private byte* Address(int tensor, int row, int head) => buffers[tensor].Address + row * RowBytes + (long)head * Capacity * tokenBytes;

    private void Unbind()
    {
        foreach (var value in bound)
            value.Dispose();
        bound.Clear();
        boundRows = 0;
    }

    private static void NativeClear(byte* start, long bytes)
    {
        for (long at = 0; at < bytes; at += 1 << 30)
            new Span<byte>(start + at, (int)Math.Min(1 << 30, bytes - at)).Clear();
    }
}
