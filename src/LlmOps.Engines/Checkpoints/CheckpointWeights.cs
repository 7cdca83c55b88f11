using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// The weights of a checkpoint: one <c>model.safetensors</c>, or shards listed by <c>model.safetensors.index.json</c>. All files are memory-mapped; safe for readers on
/// many threads until it is disposed.
/// </summary>
public sealed class CheckpointWeights : IDisposable
{
    /// <summary>File name of unsplit weights.</summary>
    public const string FileName = "model.safetensors";
    /// <summary>File name of the list of shards.</summary>
    public const string IndexFileName = FileName + ".index.json";

    private readonly List<SafetensorsFile> files;
    private readonly Dictionary<string, SafetensorsFile> fileOf;

    private CheckpointWeights(List<SafetensorsFile> files, Dictionary<string, SafetensorsFile> fileOf, Dictionary<string, TensorEntry> tensors) =>
        (this.files, this.fileOf, Tensors) = (files, fileOf, tensors);

    /// <summary>All tensors by name; offsets count from the start of the tensor's own file.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>Bytes of all tensors.</summary>
    public long SizeBytes => Tensors.Values.Sum(t => t.Length);

    /// <summary>How many files they are in.</summary>
    public int Files => files.Count;

    /// <summary>Opens the weights of a checkpoint folder; with both forms there, the unsplit file counts, as in Hugging Face's loaders.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged, or the list and the shards contradict each other.</exception>
    /// <exception cref="UnsupportedModelException">The weights are in another format.</exception>
    public static CheckpointWeights Open(string folder)
    {
        if (File.Exists(Path.Combine(folder, FileName)))
            return Join([(SafetensorsFile.Open(Path.Combine(folder, FileName)), null)]);
        if (File.Exists(Path.Combine(folder, IndexFileName)))
            return OpenShards(folder);
        var other = Directory.Exists(folder) ? Directory.EnumerateFiles(folder).Select(Path.GetFileName).FirstOrDefault(name => name is not null && (name.EndsWith(".bin", StringComparison.Ordinal) || name.EndsWith(".pth", StringComparison.Ordinal) || name.EndsWith(".gguf", StringComparison.Ordinal))) : null;
        throw other is null
            ? new InvalidModelException($"{FileName} is missing.")
            : new UnsupportedModelException($"The weights are in '{other}'; only safetensors are read, because such files can run code or lose precision. Save the model with safetensors.");
    }

    private static CheckpointWeights OpenShards(string folder)
    {
        var map = ReadIndex(Path.Combine(folder, IndexFileName));
        var opened = new List<(SafetensorsFile File, HashSet<string>? Names)>();
        try
        {
            foreach (var shard in map.GroupBy(entry => entry.Value, entry => entry.Key, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
            {
                // A bare name only: a path could reach outside of the model's folder.
                if (shard.Key.Length == 0 || shard.Key != Path.GetFileName(shard.Key) || shard.Key.Contains('\\', StringComparison.Ordinal) || shard.Key is "." or "..")
                    throw new InvalidModelException($"{IndexFileName}: '{shard.Key}' is not a file name inside the model's folder.");
                opened.Add((SafetensorsFile.Open(Path.Combine(folder, shard.Key)), [.. shard]));
                if (shard.FirstOrDefault(name => !opened[^1].File.Tensors.ContainsKey(name)) is { } missing)
                    throw new InvalidModelException($"{IndexFileName} says that tensor '{missing}' is in {shard.Key}; it is not.");
            }
            return Join(opened);
        }
        catch
        {
            foreach (var (file, _) in opened)
                file.Dispose();
            throw;
        }
    }

    private static CheckpointWeights Join(List<(SafetensorsFile File, HashSet<string>? Names)> shards)
    {
        var fileOf = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        var tensors = new Dictionary<string, TensorEntry>(StringComparer.Ordinal);
        foreach (var (file, names) in shards)
        {
            foreach (var (name, entry) in file.Tensors)
            {
                if (names is not null && !names.Contains(name))
                    throw new InvalidModelException($"A shard holds tensor '{name}', which {IndexFileName} does not place there.");
                (fileOf[name], tensors[name]) = (file, entry);
            }
        }
        return new([.. shards.Select(s => s.File)], fileOf, tensors);
    }

    private static Dictionary<string, string> ReadIndex(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var map = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var entry in document.RootElement.GetProperty("weight_map").EnumerateObject())
                if (!map.TryAdd(entry.Name, entry.Value.GetString() ?? ""))
                    throw new InvalidModelException($"{IndexFileName} has tensor '{entry.Name}' twice.");
            return map.Count > 0 ? map : throw new InvalidModelException($"{IndexFileName} lists no tensor.");
        }
        // Wrong kinds inside valid JSON surface as InvalidOperationException or KeyNotFoundException from JsonElement.
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidModelException($"{IndexFileName} is malformed: {e.Message}", e);
        }
    }

    /// <summary>The raw little-endian bytes of a tensor, without copying; valid until this is disposed.</summary>
    /// <exception cref="InvalidModelException">There is no tensor of this name.</exception>
    /// <exception cref="UnsupportedModelException">The tensor is larger than 2 GiB, the limit of a span.</exception>
    public ReadOnlySpan<byte> Bytes(string name) => FileOf(name).Bytes(name);

    /// <summary>A tensor's values as single precision; F32, F16, BF16 and F64 are converted.</summary>
    /// <exception cref="InvalidModelException">There is no tensor of this name.</exception>
    /// <exception cref="UnsupportedModelException">The element type is not one of the four, or the tensor is larger than 2 GiB.</exception>
    public float[] ReadFloat32(string name) => FileOf(name).ReadFloat32(name);

    /// <summary>The same for a part of a tensor, into memory of the caller.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="start">First value, in row-major order.</param>
    /// <param name="values">Filled whole.</param>
    /// <exception cref="InvalidModelException">There is no tensor of this name.</exception>
    /// <exception cref="UnsupportedModelException">The element type is not one of the four.</exception>
    public void ReadFloat32(string name, long start, Span<float> values) => FileOf(name).ReadFloat32(name, start, values);

    private SafetensorsFile FileOf(string name) => fileOf.TryGetValue(name, out var file) ? file : throw new InvalidModelException($"Tensor '{name}' is missing.");

    /// <summary>Releases the mappings; spans taken from them must not be used afterwards.</summary>
    public void Dispose()
    {
        foreach (var file in files)
            file.Dispose();
    }
}
