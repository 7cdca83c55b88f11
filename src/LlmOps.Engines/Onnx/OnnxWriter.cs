using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Writes a graph and streams its weights: at any time only the tensor at hand is in memory.</summary>
internal sealed class OnnxWriter(string folder) : IDisposable
{
    // Small tensors stay inline: one file is easier to read than offsets, and ONNX Runtime needs shapes before it maps anything.
    private const int InlineBelowBytes = 1024;
    // Page alignment lets ONNX Runtime map each tensor instead of copying it.
    private const int Alignment = 4096;
    private FileStream? data;

    public TensorProto Write<T>(string name, int type, long[] dims, ReadOnlySpan<T> values) where T : unmanaged =>
        WriteBytes(name, type, dims, MemoryMarshal.AsBytes(values));

    public TensorProto WriteBytes(string name, int type, IEnumerable<long> dims, ReadOnlySpan<byte> bytes)
    {
        var tensor = new TensorProto { Name = name, DataType = type, Dims = { dims } };
        if (bytes.Length < InlineBelowBytes)
        {
            tensor.RawData = ByteString.CopyFrom(bytes);
            return tensor;
        }
        data ??= new FileStream(Path.Combine(folder, OnnxModel.DataFileName), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
        data.Write(new byte[(Alignment - data.Position % Alignment) % Alignment]);
        tensor.DataLocation = 1;
        foreach (var (key, value) in new[] { ("location", OnnxModel.DataFileName), ("offset", Text(data.Position)), ("length", Text(bytes.Length)) })
            tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        data.Write(bytes);
        return tensor;

        static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Writes the graph file; weights are on disk before the graph that refers to them.</summary>
    public void Save(ModelProto model)
    {
        data?.Flush(flushToDisk: true);
        using var file = new FileStream(Path.Combine(folder, OnnxModel.FileName), FileMode.CreateNew, FileAccess.Write);
        model.WriteTo(file);
        file.Flush(flushToDisk: true);
    }

    public void Dispose() => data?.Dispose();
}
