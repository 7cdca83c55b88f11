using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// Parses the header of a safetensors file (8 bytes little-endian length, JSON, data) and refuses every way in which it can lie about the data:
/// https://github.com/huggingface/safetensors#format.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>The format's own limit.</summary>
    public const long MaxHeaderBytes = 100_000_000;

    private const string MetadataKey = "__metadata__";

    public static (Dictionary<string, TensorEntry> Tensors, Dictionary<string, string> Metadata) Parse(ReadOnlyMemory<byte> json, long dataStart, long fileLength)
    {
        if (json.Length == 0 || json.Span[0] != (byte)'{')
            throw new InvalidModelException("The safetensors header does not start with '{'.");
        var tensors = new Dictionary<string, TensorEntry>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var hasMetadata = false;
        try
        {
            using var document = JsonDocument.Parse(json);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == MetadataKey)
                {
                    if (hasMetadata)
                        throw new InvalidModelException($"The safetensors header has {MetadataKey} twice.");
                    hasMetadata = true;
                    foreach (var pair in property.Value.EnumerateObject())
                        metadata[pair.Name] = pair.Value.GetString() ?? "";
                }
                else if (!tensors.TryAdd(property.Name, Entry(property, dataStart, fileLength)))
                {
                    throw new InvalidModelException($"The safetensors header has tensor '{property.Name}' twice.");
                }
            }
        }
        // Wrong kinds inside valid JSON surface as InvalidOperationException or KeyNotFoundException from JsonElement.
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or IndexOutOfRangeException)
        {
            throw new InvalidModelException($"The safetensors header is malformed: {e.Message}", e);
        }
        RequireContiguous(tensors.Values, dataStart, fileLength);
        return (tensors, metadata);
    }

    private static TensorEntry Entry(JsonProperty property, long dataStart, long fileLength)
    {
        var typeName = property.Value.GetProperty("dtype").GetString() ?? "";
        var type = TensorTypes.Find(typeName)
            ?? throw new UnsupportedModelException($"Tensor '{property.Name}' has the unknown element type '{typeName}'.");
        var shape = property.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64()).ToArray();
        var offsets = property.Value.GetProperty("data_offsets");
        long begin = offsets[0].GetInt64(), end = offsets[1].GetInt64();
        if (offsets.GetArrayLength() != 2 || begin < 0 || end < begin)
            throw new InvalidModelException($"Tensor '{property.Name}' has impossible offsets {offsets.GetRawText()}.");
        if (end > fileLength - dataStart)
        {
            throw new InvalidModelException(
                $"The safetensors file is truncated: tensor '{property.Name}' ends at data byte {end}, the file has {fileLength - dataStart} data bytes.");
        }
        if (SizeBytes(shape, type) != end - begin)
        {
            throw new InvalidModelException(
                $"Tensor '{property.Name}' takes {end - begin} bytes, but its shape [{string.Join(", ", shape)}] of {type.HeaderName()} does not.");
        }
        return new TensorEntry(property.Name, type, shape, dataStart + begin, end - begin);
    }

    /// <summary>Bytes of a tensor, or −1 when a size is negative or the product does not fit.</summary>
    public static long SizeBytes(long[] shape, TensorType type)
    {
        try
        {
            long size = type.SizeBytes();
            foreach (var dimension in shape)
            {
                if (dimension < 0)
                    return -1;
                size = checked(size * dimension);
            }
            return size;
        }
        catch (OverflowException)
        {
            return -1;
        }
    }

    private static void RequireContiguous(IEnumerable<TensorEntry> entries, long dataStart, long fileLength)
    {
        var position = dataStart;
        TensorEntry? previous = null;
        foreach (var entry in entries.OrderBy(e => e.Offset).ThenBy(e => e.Length))
        {
            if (entry.Offset < position)
                throw new InvalidModelException($"Tensors '{previous!.Name}' and '{entry.Name}' overlap.");
            if (entry.Offset > position)
                throw new InvalidModelException($"The safetensors file has {entry.Offset - position} unused bytes before tensor '{entry.Name}'.");
            position = entry.Offset + entry.Length;
            previous = entry;
        }
        if (position != fileLength)
            throw new InvalidModelException($"The safetensors file has {fileLength - position} unused bytes at its end.");
    }
}
