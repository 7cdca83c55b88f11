using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>A place for tensors: the processor's memory, a device's, or memory of the processor that a device reads by itself (pinned).</summary>
internal sealed class TensorMemory : IDisposable
{
    private readonly bool owned;

    private TensorMemory(OrtMemoryInfo location, OrtAllocator allocator, bool readable, bool owned) =>
        (Location, Allocator, IsReadable, this.owned) = (location, allocator, readable, owned);

    public OrtMemoryInfo Location { get; }
    public OrtAllocator Allocator { get; }

    /// <summary>Whether this process may read and write it directly.</summary>
    public bool IsReadable { get; }

    /// <summary>The processor's memory.</summary>
    public static TensorMemory Host { get; } = new(OrtMemoryInfo.DefaultInstance, OrtAllocator.DefaultInstance, readable: true, owned: false);

    /// <summary>Memory that belongs to a session's provider.</summary>
    /// <param name="session">Lives longer than the memory.</param>
    /// <param name="name">The name that ONNX Runtime gives it, such as Cpu, Cuda or CudaPinned.</param>
    /// <param name="deviceId">Which of several devices.</param>
    /// <param name="type">Default, or CpuOutput for pinned memory.</param>
    /// <param name="readable">Whether this process may read it.</param>
    public static TensorMemory Of(InferenceSession session, string name, int deviceId, OrtMemType type, bool readable)
    {
        var location = new OrtMemoryInfo(name, OrtAllocatorType.DeviceAllocator, deviceId, type);
        return new(location, new OrtAllocator(session, location), readable, owned: true);
    }

    public OrtValue Allocate(TensorElementType type, params long[] shape) => OrtValue.CreateAllocatedTensorValue(Allocator, type, shape);

    public static int Size(TensorElementType type) => type switch
    {
        TensorElementType.Float => 4,
        TensorElementType.Float16 or TensorElementType.BFloat16 => 2,
        TensorElementType.Int64 => 8,
        _ => throw new UnsupportedModelException($"Element type {type} is not supported here."),
    };

    public void Dispose()
    {
        if (!owned)
            return;
        Allocator.Dispose();
        Location.Dispose();
    }
}

/// <summary>A buffer that tensors of changing shapes are laid over; grows when it has to, and then its address changes.</summary>
internal sealed unsafe class TensorBuffer(TensorMemory memory, TensorElementType type) : IDisposable
{
    private OrtValue? storage;
    private long capacity;

    public byte* Address { get; private set; }

    /// <summary>A tensor over the beginning of the buffer. Valid until the buffer grows or is disposed.</summary>
    public OrtValue Shape(params long[] shape)
    {
        long count = 1;
        foreach (var dimension in shape)
            count *= dimension;
        Reserve(count);
        return OrtValue.CreateTensorValueWithData(memory.Location, type, shape, (IntPtr)Address, count * TensorMemory.Size(type));
    }

    public void Reserve(long count)
    {
        if (count <= capacity && storage is not null)
            return;
        storage?.Dispose();
        storage = null;
        storage = memory.Allocate(type, capacity = Math.Max(1, count));
        Address = (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetReference(storage.GetTensorMutableRawData()));
    }

    public Span<T> Values<T>(int start, int count) where T : unmanaged => new((T*)Address + start, count);

    public void Dispose() => storage?.Dispose();
}
