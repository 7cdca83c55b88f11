using System.Runtime.InteropServices;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>An ONNX graph opened for reading; weights, inline or external, are memory-mapped, so opening costs no copy of them.</summary>
internal sealed class OnnxModel : IDisposable
{
    public const string FileName = "model.onnx", DataFileName = "model.onnx.data";
    private readonly MappedFile file;
    private readonly ExternalData external;

    private OnnxModel(string path, MappedFile file, ModelProto proto)
    {
        (Path, this.file, Proto) = (path, file, proto);
        external = new ExternalData(Folder);
        Initializers = [];
        foreach (var tensor in proto.Graph.Initializer)
            if (!Initializers.TryAdd(tensor.Name, tensor))
                throw new InvalidModelException($"{Label}: two initializers are called '{tensor.Name}'.");
    }

    public string Path { get; }
    public string Folder => System.IO.Path.GetDirectoryName(Path)!;
    /// <summary>The file's name, for messages.</summary>
    public string Label => System.IO.Path.GetFileName(Path);
    public ModelProto Proto { get; }
    public Dictionary<string, TensorProto> Initializers { get; }

    /// <summary>The graph file that a path stands for: itself, or the model.onnx of a folder.</summary>
    public static string GraphFile(string path) => System.IO.Path.GetFullPath(Directory.Exists(path) ? System.IO.Path.Combine(path, FileName) : path);

    /// <summary>Opens an ONNX file, or a folder's model.onnx.</summary>
    public static OnnxModel Load(string path)
    {
        var name = System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(path));
        var graph = GraphFile(path);
        if (!File.Exists(graph))
            throw new InvalidModelException(Directory.Exists(path) ? $"There is no {FileName} in '{name}'." : $"There is no file '{name}'.");
        var label = System.IO.Path.GetFileName(graph);
        MappedFile? file = null;
        try
        {
            if (new FileInfo(graph).Length == 0)
                throw new InvalidModelException($"{label} is empty.");
            file = new MappedFile(graph);
            var proto = MappedProto.Parse(file, label);
            return proto.Graph is { } g && (g.Node.Count > 0 || g.Output.Count > 0) ? new OnnxModel(graph, file, proto)
                : throw new InvalidModelException($"{label} holds no graph.");
        }
        catch (Exception e)
        {
            file?.Dispose();
            if (e is IOException or UnauthorizedAccessException)
                throw new InvalidModelException($"{label} cannot be read: {e.Message}");
            throw;
        }
    }

    /// <summary>The values of a tensor of numbers, inline, in a typed field or in an external file; at most 2 GB of them.</summary>
    public ReadOnlySpan<byte> Bytes(TensorProto tensor)
    {
        var expected = ExpectedBytes(tensor);
        if (tensor.DataLocation == 1)
        {
            var (mapped, offset, length) = ExternalRange(tensor);
            return length <= int.MaxValue ? mapped.Span(offset, (int)length)
                : throw new UnsupportedModelException($"Tensor '{tensor.Name}' has {length} bytes; more than 2 GB can be copied but not computed with.");
        }
        var bytes = tensor.HasRawData ? tensor.RawData.Span : TensorBytes.FromTypedField(tensor);
        return bytes.Length == expected ? bytes : throw SizeDiffers(tensor, expected, bytes.Length);
    }

    public float[] Float32(TensorProto tensor) => tensor.DataType == ElementTypes.Float
        ? MemoryMarshal.Cast<byte, float>(Bytes(tensor)).ToArray()
        : throw new UnsupportedModelException($"Tensor '{tensor.Name}' has ONNX element type {tensor.DataType}; 32-bit floats are needed here.");

    /// <summary>Takes the values of a tensor that has been read out of memory; see <see cref="MappedFile.Forget"/>.</summary>
    public void Forget(TensorProto tensor)
    {
        if (tensor.DataLocation != 1)
            return;
        var (mapped, offset, length) = ExternalRange(tensor);
        mapped.Forget(offset, length);
    }

    /// <summary>Where an external tensor lies; the range has the size of its shape and is inside the file.</summary>
    public (MappedFile File, long Offset, long Length) ExternalRange(TensorProto tensor)
    {
        var expected = ExpectedBytes(tensor);
        var range = external.Range(tensor, expected);
        return range.Length == expected ? range : throw SizeDiffers(tensor, expected, range.Length);
    }

    /// <summary>Throws when the values do not have the size of the shape, or do not lie where the tensor says.</summary>
    public void EnsureStored(TensorProto tensor)
    {
        if (tensor.DataType == ElementTypes.String)
        {
            if (tensor.DataLocation == 1 || tensor.StringData.Count != tensor.ElementCount())
                throw SizeDiffers(tensor, tensor.ElementCount(), tensor.StringData.Count, "texts");
        }
        else if (tensor.DataLocation == 1)
            ExternalRange(tensor);
        else
            Bytes(tensor);
    }

    /// <summary>Bytes of the graph file and of every external file that its tensors name.</summary>
    public long SizeOnDisk() => file.Length + ExternalFiles().Sum(name => new FileInfo(System.IO.Path.Combine(Folder, name)) is { Exists: true } data ? data.Length : 0);

    public IReadOnlyList<string> ExternalFiles() =>
        [.. Proto.AllTensors().Where(t => t.DataLocation == 1).Select(t => ExternalData.Entry(t, "location")).OfType<string>().Distinct().Order(StringComparer.Ordinal)];

    private static long ExpectedBytes(TensorProto tensor)
    {
        if (!ElementTypes.IsKnown(tensor.DataType))
            throw new UnsupportedModelException($"Tensor '{tensor.Name}' has ONNX element type {tensor.DataType}, which is not known here.");
        if (tensor.DataType == ElementTypes.String)
            throw new UnsupportedModelException($"Tensor '{tensor.Name}' holds texts; numbers are needed here.");
        try
        {
            return ElementTypes.Bytes(tensor.DataType, tensor.ElementCount());
        }
        catch (OverflowException)
        {
            throw new InvalidModelException($"Tensor '{tensor.Name}' has more bytes than a 64-bit number counts.");
        }
    }

    private static InvalidModelException SizeDiffers(TensorProto tensor, long expected, long found, string unit = "bytes") =>
        new($"Tensor '{tensor.Name}' should have {expected} {unit} for its shape [{string.Join(", ", tensor.Dims)}] of {ElementTypes.Name(tensor.DataType)} and has {found}.");

    /// <summary>Bytes of the graph file and of the external weights beside it, of a folder that this library wrote.</summary>
    public static long SizeBytes(string folder) => new[] { FileName, DataFileName }
        .Select(name => new FileInfo(System.IO.Path.Combine(folder, name))).Sum(file => file.Exists ? file.Length : 0);

    public void Dispose()
    {
        external.Dispose();
        file.Dispose();
    }
}
