using System.Globalization;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Google.Protobuf;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>An ONNX graph opened for reading; external weights are memory-mapped, so opening costs no copy of them.</summary>
internal sealed unsafe class OnnxModel : IDisposable
{
    public const string FileName = "model.onnx", DataFileName = "model.onnx.data";
    private readonly string folder;
    private readonly Dictionary<string, (MemoryMappedViewAccessor View, long Length)> mapped = [];

    private OnnxModel(string folder, ModelProto proto)
    {
        this.folder = folder;
        Proto = proto;
        Initializers = [];
        foreach (var tensor in proto.Graph.Initializer)
            if (!Initializers.TryAdd(tensor.Name, tensor))
                throw new InvalidModelException($"{FileName}: two initializers are called '{tensor.Name}'.");
    }

    public ModelProto Proto { get; }
    public Dictionary<string, TensorProto> Initializers { get; }

    public static OnnxModel Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            throw new InvalidModelException($"There is no {FileName} in '{Path.GetFileName(Path.TrimEndingDirectorySeparator(folder))}'.");
        try
        {
            using var stream = File.OpenRead(path);
            var proto = ModelProto.Parser.ParseFrom(stream);
            return proto.Graph is { } graph && graph.Node.Count > 0 ? new OnnxModel(folder, proto) : throw new InvalidModelException($"{FileName} holds no graph.");
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidModelException($"{FileName} is damaged: {e.Message}");
        }
    }

    /// <summary>The bytes of a tensor stored as raw data, inline or in the external file.</summary>
    public ReadOnlySpan<byte> Bytes(TensorProto tensor)
    {
        long expected = tensor.Dims.Aggregate(1L, (a, b) => checked(a * b)) * ElementTypes.Size(tensor.DataType);
        var bytes = tensor.DataLocation == 1 ? External(tensor, expected)
            : tensor.HasRawData ? tensor.RawData.Span
            : tensor.DataType == ElementTypes.Float ? MemoryMarshal.AsBytes<float>(tensor.FloatData.ToArray())
            : tensor.DataType == ElementTypes.Int64 ? MemoryMarshal.AsBytes<long>(tensor.Int64Data.ToArray())
            : throw new UnsupportedModelException($"Tensor '{tensor.Name}' stores its values in a field that is not supported here.");
        return bytes.Length == expected
            ? bytes
            : throw new InvalidModelException($"Tensor '{tensor.Name}' should have {expected} bytes for its shape and has {bytes.Length}.");
    }

    public float[] Float32(TensorProto tensor) => tensor.DataType == ElementTypes.Float
        ? MemoryMarshal.Cast<byte, float>(Bytes(tensor)).ToArray()
        : throw new UnsupportedModelException($"Tensor '{tensor.Name}' has ONNX element type {tensor.DataType}; 32-bit floats are needed here.");

    private ReadOnlySpan<byte> External(TensorProto tensor, long expected)
    {
        string? Entry(string key) => tensor.ExternalData.FirstOrDefault(e => e.Key == key)?.Value;
        var location = Entry("location") ?? "";
        // A bare name only: a path could reach outside of the model's folder.
        if (location.Length == 0 || location != Path.GetFileName(location) || location is "." or "..")
            throw new InvalidModelException($"Tensor '{tensor.Name}' names the external file '{location}', which is not a file name inside the model's folder.");
        if (!TryParse(Entry("offset") ?? "0", out var offset) || !TryParse(Entry("length") ?? expected.ToString(CultureInfo.InvariantCulture), out var length))
            throw new InvalidModelException($"Tensor '{tensor.Name}' has an external offset or length that is not a number.");
        var (view, size) = Map(location, tensor.Name);
        if (length > int.MaxValue || offset > size - length)
            throw new InvalidModelException($"Tensor '{tensor.Name}' ends at byte {offset + length} of '{location}', which has {size}: the file is cut off.");
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        view.SafeMemoryMappedViewHandle.ReleasePointer(); // the view itself lives until Dispose
        return new ReadOnlySpan<byte>(pointer + view.PointerOffset + offset, (int)length);

        static bool TryParse(string text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }

    private (MemoryMappedViewAccessor View, long Length) Map(string location, string tensor)
    {
        if (mapped.TryGetValue(location, out var known))
            return known;
        var path = Path.Combine(folder, location);
        if (!File.Exists(path) || new FileInfo(path).Length == 0)
            throw new InvalidModelException($"Tensor '{tensor}' is stored in '{location}', which is missing or empty.");
        using var file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        return mapped[location] = (file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read), new FileInfo(path).Length);
    }

    /// <summary>Bytes of the graph file and of the external weights beside it.</summary>
    public static long SizeBytes(string folder) => new[] { FileName, DataFileName }
        .Select(name => new FileInfo(Path.Combine(folder, name))).Sum(file => file.Exists ? file.Length : 0);

    public void Dispose()
    {
        foreach (var (view, _) in mapped.Values)
            view.Dispose();
    }
}
