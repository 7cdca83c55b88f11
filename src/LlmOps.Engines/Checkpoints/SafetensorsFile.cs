using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// A safetensors file, memory-mapped: opening it costs the header, and a tensor's pages are read when they are used.
/// Everything that the header claims is checked on opening. Safe for readers on many threads until it is disposed.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile map;
    private readonly MemoryMappedViewAccessor view;
    private byte* start;

    private SafetensorsFile(MemoryMappedFile map, MemoryMappedViewAccessor view, Dictionary<string, TensorEntry> tensors, Dictionary<string, string> metadata)
    {
        (this.map, this.view, Tensors, Metadata) = (map, view, tensors, metadata);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        start += view.PointerOffset;
    }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>The header's <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Maps a file and checks its header against its size.</summary>
    /// <exception cref="InvalidModelException">Missing, truncated, or a header that is malformed, overlapping, duplicate, or does not fit shapes or file.</exception>
    /// <exception cref="UnsupportedModelException">A tensor has an element type that the format does not define.</exception>
    public static SafetensorsFile Open(string path)
    {
        var name = Path.GetFileName(path);
        if (!File.Exists(path))
            throw new InvalidModelException($"{name} is missing.");
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            return Open(stream);
        }
        catch (InvalidModelException e)
        {
            throw new InvalidModelException($"{name}: {e.Message}", e);
        }
    }

    private static SafetensorsFile Open(FileStream stream)
    {
        var fileLength = stream.Length;
        Span<byte> prefix = stackalloc byte[8];
        if (fileLength < prefix.Length)
            throw new InvalidModelException($"The safetensors file is truncated: {fileLength} bytes, not even a header length.");
        stream.ReadExactly(prefix);
        var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > (ulong)(fileLength - prefix.Length))
            throw new InvalidModelException($"The safetensors header claims {headerLength} bytes, which is longer than the file ({fileLength} bytes).");
        if (headerLength > SafetensorsHeader.MaxHeaderBytes)
            throw new InvalidModelException($"The safetensors header claims {headerLength} bytes; the format allows {SafetensorsHeader.MaxHeaderBytes}.");
        var json = new byte[(int)headerLength];
        stream.ReadExactly(json);
        var (tensors, metadata) = SafetensorsHeader.Parse(json, prefix.Length + (long)headerLength, fileLength);

        // The map lives on its own handle: the stream is closed by the caller.
        var map = MemoryMappedFile.CreateFromFile(stream.Name, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        MemoryMappedViewAccessor? view = null;
        try
        {
            view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            return new SafetensorsFile(map, view, tensors, metadata);
        }
        catch
        {
            view?.Dispose();
            map.Dispose();
            throw;
        }
    }

    /// <summary>The raw little-endian bytes of a tensor, without copying; valid until the file is disposed.</summary>
    /// <exception cref="InvalidModelException">There is no tensor of this name.</exception>
    /// <exception cref="UnsupportedModelException">The tensor is larger than 2 GiB, the limit of a span.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        ObjectDisposedException.ThrowIf(start is null, this);
        var entry = Get(name);
        if (entry.Length > int.MaxValue)
            throw new UnsupportedModelException($"Tensor '{name}' has {entry.Length} bytes; at most {int.MaxValue} are supported.");
        return new ReadOnlySpan<byte>(start + entry.Offset, (int)entry.Length);
    }

    /// <summary>A tensor's values as single precision; F32, F16, BF16 and F64 are converted.</summary>
    /// <exception cref="InvalidModelException">There is no tensor of this name.</exception>
    /// <exception cref="UnsupportedModelException">The element type is not one of the four, or the tensor is larger than 2 GiB.</exception>
    public float[] ReadFloat32(string name)
    {
        var bytes = Bytes(name);
        var values = new float[bytes.Length / Get(name).Type.SizeBytes()];
        ReadFloat32(name, 0, values);
        return values;
    }

    /// <summary>The same for a part of a tensor of any size, into memory of the caller.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="first">First value, in row-major order.</param>
    /// <param name="values">Filled whole.</param>
    /// <exception cref="InvalidModelException">There is no tensor of this name.</exception>
    /// <exception cref="UnsupportedModelException">The element type is not one of the four.</exception>
    /// <exception cref="ArgumentException">The part is not inside the tensor.</exception>
    public void ReadFloat32(string name, long first, Span<float> values)
    {
        ObjectDisposedException.ThrowIf(start is null, this);
        var entry = Get(name);
        var size = entry.Type.SizeBytes();
        if (first < 0 || (first + values.Length) * size > entry.Length)
            throw new ArgumentException($"Values {first} to {first + values.Length} are not inside tensor '{name}'.", nameof(first));
        var bytes = new ReadOnlySpan<byte>(start + entry.Offset + first * size, checked(values.Length * size));
        switch (entry.Type)
        {
            case TensorType.F32:
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(values);
                break;
            case TensorType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), values);
                break;
            case TensorType.BF16:
                WidenBFloat16(MemoryMarshal.Cast<byte, ushort>(bytes), values);
                break;
            case TensorType.F64:
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(bytes), values);
                break;
            default:
                throw new UnsupportedModelException($"Tensor '{name}' is {entry.Type.HeaderName()}; only F32, F16, BF16 and F64 can be read as single precision.");
        }
    }

    private static void WidenBFloat16(ReadOnlySpan<ushort> halves, Span<float> values)
    {
        var i = 0;
        var bits = MemoryMarshal.Cast<float, uint>(values);
        for (; i + Vector<ushort>.Count <= halves.Length; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(halves[i..]), out var low, out var high);
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + Vector<uint>.Count)..]);
        }
        for (; i < halves.Length; i++)
            bits[i] = (uint)halves[i] << 16;
    }

    /// <summary>Releases the mapping; spans taken from it must not be used afterwards.</summary>
    public void Dispose()
    {
        if (start is null)
            return;
        start = null;
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        map.Dispose();
    }

    private TensorEntry Get(string name) =>
        Tensors.TryGetValue(name, out var entry) ? entry : throw new InvalidModelException($"Tensor '{name}' is missing.");
}
