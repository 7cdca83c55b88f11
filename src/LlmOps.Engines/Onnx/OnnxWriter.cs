using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Writes a graph and streams its weights: at any time only the tensor at hand is in memory.</summary>
internal sealed class OnnxWriter(string folder, string fileName = OnnxModel.FileName) : IDisposable
{
    private readonly string dataFile = $"{fileName}.data";
    private readonly Dictionary<(MappedFile File, long Offset, long Length), long> copied = [];
    // Small tensors stay inline: one file is easier to read than offsets, and ONNX Runtime needs shapes before it maps anything.
    private const int InlineBelowBytes = 1024;
    // Page alignment lets ONNX Runtime map each tensor instead of copying it.
    private const int Alignment = 4096;
    private readonly HashSet<string> constants = [];
    private WriteBehindFile? data;

    public TensorProto Write<T>(string name, int type, long[] dims, ReadOnlySpan<T> values) where T : unmanaged =>
        WriteBytes(name, type, dims, MemoryMarshal.AsBytes(values));

    /// <summary>A tensor whose bytes are written piece by piece, so that it is never in memory whole.</summary>
    public TensorProto WriteStreamed(string name, int type, long[] dims, Action<Stream> write)
    {
        var bytes = dims.Aggregate((long)ElementTypes.Size(type), (a, b) => checked(a * b));
        if (bytes < InlineBelowBytes)
        {
            using var buffer = new MemoryStream();
            write(buffer);
            return WriteBytes(name, type, dims, buffer.ToArray());
        }
        var tensor = new TensorProto { Name = name, DataType = type, Dims = { dims } };
        var target = Place(tensor, bytes);
        var start = target.Position;
        write(target);
        return target.Position - start == bytes ? tensor : throw new InvalidOperationException($"Tensor '{name}' should have {bytes} bytes and got {target.Position - start}.");
    }

    public TensorProto WriteBytes(string name, int type, IEnumerable<long> dims, ReadOnlySpan<byte> bytes)
    {
        var tensor = new TensorProto { Name = name, DataType = type, Dims = { dims } };
        if (bytes.Length < InlineBelowBytes)
        {
            tensor.RawData = ByteString.CopyFrom(bytes);
            return tensor;
        }
        Place(tensor, bytes.Length).Write(bytes);
        return tensor;
    }

    /// <summary>Moves an external tensor into this writer's data file; its size is bounded by the disk only. The tensor is changed to say where it lies now.</summary>
    public void CopyExternal(TensorProto tensor, MappedFile file, long offset, long length)
    {
        // Tensors may share bytes, for example tied weights.
        if (!copied.TryGetValue((file, offset, length), out var place))
        {
            var target = Open();
            copied[(file, offset, length)] = place = target.Position;
            for (long done = 0; done < length;)
            {
                var part = (int)Math.Min(length - done, 1 << 24);
                target.Write(file.Span(offset + done, part));
                done += part;
            }
        }
        Refer(tensor, place, length);
    }

    private WriteBehindFile Place(TensorProto tensor, long length)
    {
        var target = Open();
        Refer(tensor, target.Position, length);
        return target;
    }

    private WriteBehindFile Open()
    {
        data ??= new WriteBehindFile(Path.Combine(folder, dataFile));
        data.Write(new byte[(Alignment - data.Position % Alignment) % Alignment]);
        return data;
    }

    private void Refer(TensorProto tensor, long offset, long length)
    {
        tensor.DataLocation = 1;
        foreach (var old in tensor.ExternalData.Where(e => e.Key is "location" or "offset" or "length").ToList())
            tensor.ExternalData.Remove(old);
        foreach (var (key, value) in new[] { ("location", dataFile), ("offset", Text(offset)), ("length", Text(length)) })
            tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });

        static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Adds a small constant to the graph unless it is there already, and returns its name.</summary>
    public string Constant<T>(GraphProto graph, string name, int type, long[] dims, ReadOnlySpan<T> values) where T : unmanaged
    {
        if (constants.Add(name))
            graph.Initializer.Add(Write(name, type, dims, values));
        return name;
    }

    /// <summary>Writes the graph file; weights are on disk before the graph that refers to them.</summary>
    public void Save(ModelProto model)
    {
        data?.FlushToDisk();
        using var file = new FileStream(Path.Combine(folder, fileName), FileMode.CreateNew, FileAccess.Write);
        model.WriteTo(file);
        file.Flush(flushToDisk: true);
    }

    public void Dispose() => data?.Dispose();
}
