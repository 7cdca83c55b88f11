using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>A tensor to be written: <see cref="Write"/> puts exactly shape × element size bytes, little-endian and row-major, on the stream.</summary>
/// <param name="Name">Name inside the file.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Row-major sizes.</param>
/// <param name="Write">Writes the bytes; called once, when the tensor's turn comes, so that a large model never has to be in memory whole.</param>
public sealed record TensorSource(string Name, TensorType Type, long[] Shape, Action<Stream> Write);

/// <summary>Writes safetensors files: to a temporary file, flushed to the disk, renamed over the target.</summary>
public static class SafetensorsWriter
{
    /// <summary>Writes tensors in the given order. Without metadata, <c>format: pt</c> is written, which Hugging Face's loaders ask for.</summary>
    /// <exception cref="ArgumentException">A name is repeated or empty, a size is negative, or a source writes another number of bytes than its shape says.</exception>
    public static void Write(string path, IEnumerable<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var sources = tensors.ToList();
        var header = Header(sources, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> prefix = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
            stream.Write(prefix);
            stream.Write(header);
            foreach (var source in sources)
            {
                var before = stream.Position;
                source.Write(stream);
                var expected = SafetensorsHeader.SizeBytes(source.Shape, source.Type);
                if (stream.Position - before != expected)
                    throw new ArgumentException($"Tensor '{source.Name}' wrote {stream.Position - before} bytes; its shape needs {expected}.");
            }
        });
    }

    /// <summary>Writes single-precision tensors.</summary>
    /// <exception cref="ArgumentException">As for <see cref="Write"/>.</exception>
    public static void WriteFloat32(string path, IEnumerable<(string Name, long[] Shape, float[] Data)> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        Write(path, tensors.Select(t => new TensorSource(t.Name, TensorType.F32, t.Shape, s => s.Write(MemoryMarshal.AsBytes<float>(t.Data)))), metadata);

    private static byte[] Header(List<TensorSource> sources, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("__metadata__");
            foreach (var (key, value) in metadata ?? new Dictionary<string, string> { ["format"] = "pt" })
                writer.WriteString(key, value);
            writer.WriteEndObject();
            var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__", "" };
            long position = 0;
            foreach (var source in sources)
            {
                if (!names.Add(source.Name))
                    throw new ArgumentException($"Tensor name '{source.Name}' is repeated, empty or reserved.");
                var size = SafetensorsHeader.SizeBytes(source.Shape, source.Type);
                if (size < 0)
                    throw new ArgumentException($"Tensor '{source.Name}' has an impossible shape [{string.Join(", ", source.Shape)}].");
                writer.WriteStartObject(source.Name);
                writer.WriteString("dtype", source.Type.HeaderName());
                WriteNumbers(writer, "shape", source.Shape);
                WriteNumbers(writer, "data_offsets", [position, position + size]);
                writer.WriteEndObject();
                position += size;
            }
            writer.WriteEndObject();
        }
        // Padding with spaces keeps the data 8-byte aligned for readers that map it.
        while (buffer.Length % 8 != 0)
            buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string name, long[] values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
            writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }
}
