using System.Globalization;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>The files beside a graph that hold its large tensors. Only files inside the graph's folder are opened.</summary>
internal sealed class ExternalData(string folder) : IDisposable
{
    private readonly Dictionary<string, MappedFile> mapped = [];

    /// <summary>Where a tensor lies: its file and the range of bytes, which is inside the file.</summary>
    public (MappedFile File, long Offset, long Length) Range(TensorProto tensor, long expected)
    {
        var location = Entry(tensor, "location") ?? "";
        if (!TryParse(Entry(tensor, "offset") ?? "0", out var offset) || !TryParse(Entry(tensor, "length") ?? expected.ToString(CultureInfo.InvariantCulture), out var length))
            throw new InvalidModelException($"Tensor '{tensor.Name}' has an external offset or length that is not a number.");
        var file = Map(location, tensor.Name);
        return offset <= file.Length && length <= file.Length - offset ? (file, offset, length)
            : throw new InvalidModelException($"Tensor '{tensor.Name}' takes {length} bytes from byte {offset} of '{location}', which has {file.Length}: the file is cut off.");

        static bool TryParse(string text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }

    public static string? Entry(TensorProto tensor, string key) => tensor.ExternalData.LastOrDefault(e => e.Key == key)?.Value;

    private MappedFile Map(string location, string tensor)
    {
        if (mapped.TryGetValue(location, out var known))
            return known;
        var path = Resolve(location, tensor);
        if (!File.Exists(path))
            throw new InvalidModelException($"Tensor '{tensor}' is stored in '{location}', which is missing.");
        try
        {
            return new FileInfo(path).Length > 0 ? mapped[location] = new MappedFile(path)
                : throw new InvalidModelException($"Tensor '{tensor}' is stored in '{location}', which is empty.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new InvalidModelException($"Tensor '{tensor}' is stored in '{location}', which cannot be read: {e.Message}");
        }
    }

    // A path, or a link on its way, could otherwise reach any file of the machine.
    private string Resolve(string location, string tensor)
    {
        var parts = location.Split('/');
        if (location.Length == 0 || Path.IsPathRooted(location) || parts.Any(p => p is "" or "." or ".." || p.AsSpan().IndexOfAny('\\', ':', '\0') >= 0))
            throw new InvalidModelException($"Tensor '{tensor}' names the external file '{location}', which is not a file name inside the model's folder.");
        var root = Real(Path.GetFullPath(folder));
        var path = root;
        foreach (var part in parts)
        {
            path = Path.Combine(path, part);
            var real = Real(path);
            if (real != path && !real.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                throw new InvalidModelException($"Tensor '{tensor}' names the external file '{location}', which is a link out of the model's folder.");
            path = real;
        }
        return path;
    }

    private static string Real(string path)
    {
        try
        {
            return (Directory.Exists(path) ? Directory.ResolveLinkTarget(path, returnFinalTarget: true) : File.ResolveLinkTarget(path, returnFinalTarget: true))?.FullName ?? path;
        }
        catch (IOException) // a link to itself, or to nothing
        {
            return path;
        }
    }

    public void Dispose()
    {
        foreach (var file in mapped.Values)
            file.Dispose();
    }
}
