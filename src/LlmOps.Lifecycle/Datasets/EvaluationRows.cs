using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Datasets;

/// <summary>A row as a client sent it. What is null was not sent.</summary>
public sealed record SentRecord(string InputsJson, string InputsDigest, string? OutputsJson, string? ExpectationsJson, string? TagsJson, string? SourceType, string? SourceId, string? SourceJson);

/// <summary>Reads rows of evaluation datasets, and puts new ones over old ones.</summary>
public static class EvaluationRows
{
    public const int Most = 1000, LongestPart = 1_000_000;
    private static readonly string[] Sources = ["TRACE", "HUMAN", "DOCUMENT", "CODE"];

    /// <summary>A list of objects with "inputs", and "expectations", "outputs", "tags" and "source" if wanted. All are good, or none is taken.</summary>
    public static IReadOnlyList<SentRecord> Parse(string? json)
    {
        using var document = Document(TrackingKeys.Required(json, "records"));
        if (document.RootElement.ValueKind != JsonValueKind.Array)
            throw Wrong(null, "they are no list");
        if (document.RootElement.GetArrayLength() > Most)
            throw Wrong(null, $"at most {Most} can be sent at once, these are {document.RootElement.GetArrayLength()}");
        return [.. document.RootElement.EnumerateArray().Select(Record)];
    }

    /// <summary>The same whatever the order of names in an object is.</summary>
    public static string Digest(JsonElement inputs) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Canonical(inputs))));

    /// <summary>One object over another: what both have is as in the second.</summary>
    public static string? Merged(string? below, string? above)
    {
        if (below is null || above is null)
            return above ?? below;
        var merged = Json.Read<SortedDictionary<string, JsonElement>>(below);
        foreach (var (key, value) in Json.Read<Dictionary<string, JsonElement>>(above))
            merged[key] = value;
        return Json.Write(merged);
    }

    /// <summary>Changes with every change of a row, and does not depend on the order in which they came.</summary>
    public static string Digest(IEnumerable<(string Inputs, long UpdatedAt)> records) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', records.OrderBy(r => r.Inputs, StringComparer.Ordinal).Select(r => FormattableString.Invariant($"{r.Inputs} {r.UpdatedAt}"))))).AsSpan(0, 4));

    private static SentRecord Record(JsonElement record, int index)
    {
        if (record.ValueKind != JsonValueKind.Object)
            throw Wrong(index, "it is no object");
        var inputs = Part(record, "inputs", index, mustBeMap: true) ?? throw Wrong(index, "it has no 'inputs'");
        var expectations = Part(record, "expectations", index, mustBeMap: true);
        var tags = Part(record, "tags", index, mustBeMap: true);
        if (tags?.EnumerateObject().FirstOrDefault(t => t.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Array) is { Value.ValueKind: not JsonValueKind.Undefined } odd)
            throw Wrong(index, $"the tag '{TrackingKeys.Shown(odd.Name)}' is no text");
        var (type, id, source) = Source(record, index);
        return new(Text(inputs, "inputs", index), Digest(inputs), Part(record, "outputs", index) is { } outputs ? Text(outputs, "outputs", index) : null, expectations is { } e ? Text(e, "expectations", index) : null, tags is { } t ? Text(t, "tags", index) : null, type, id, source);
    }

    private static (string? Type, string? Id, string? Json) Source(JsonElement record, int index)
    {
        if (Part(record, "source", index, mustBeMap: true) is not { } source)
            return (Word(record, "source_type", index), Short(record, "source_id", index), null);
        var data = Part(source, "source_data", index, mustBeMap: true);
        var type = Word(source, "source_type", index);
        return (type, data is { } d ? Short(d, type == "TRACE" ? "trace_id" : "source_id", index) : null, Text(source, "source", index));
    }

    private static string? Word(JsonElement parent, string name, int index) => Short(parent, name, index)?.ToUpperInvariant() switch
    {
        null or "" or "SOURCE_TYPE_UNSPECIFIED" or "UNSPECIFIED" => null,
        { } word when Sources.Contains(word) => word,
        { } word => throw Wrong(index, $"'{TrackingKeys.Shown(word)}' is no source; it is one of {string.Join(", ", Sources)}"),
    };

    private static string? Short(JsonElement parent, string name, int index) => Part(parent, name, index) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text when text.GetString() is { Length: <= 500 } value => value,
        _ => throw Wrong(index, $"'{name}' is no text of at most 500 characters"),
    };

    private static JsonElement? Part(JsonElement record, string name, int index, bool mustBeMap = false)
    {
        if (!record.TryGetProperty(name, out var part) || part.ValueKind == JsonValueKind.Null)
            return null;
        if (mustBeMap && part.ValueKind != JsonValueKind.Object)
            throw Wrong(index, $"'{name}' is no object");
        Tracing.AssessmentValue.EnsureStorable(part);
        return part;
    }

    private static string Text(JsonElement part, string name, int index) => Json.Write(part) is { Length: <= LongestPart } json ? json : throw Wrong(index, $"'{name}' has more than {LongestPart} characters as JSON");

    private static string Canonical(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(',', value.EnumerateObject().OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => Json.Write(f.Name) + ":" + Canonical(f.Value))) + "}",
        JsonValueKind.Array => "[" + string.Join(',', value.EnumerateArray().Select(Canonical)) + "]",
        JsonValueKind.String => Json.Write(value.GetString()!),
        _ => value.GetRawText(),
    };

    private static JsonDocument Document(string json)
    {
        try
        {
            return JsonDocument.Parse(json, new() { MaxDepth = 32 });
        }
        catch (JsonException e)
        {
            throw Wrong(null, $"they are no JSON: look at line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1}");
        }
    }

    private static LlmOpsException Wrong(int? index, string why) => LlmOpsException.Invalid(FormattableString.Invariant($"The records{(index is { } i ? $", number {i + 1}," : "")} cannot be used, nothing was stored: {why}."));
}
