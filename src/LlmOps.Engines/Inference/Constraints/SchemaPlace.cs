using System.Text.Json;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>A schema and where it stands, as a JSON pointer.</summary>
internal readonly record struct SchemaPlace(string Path, JsonElement Json)
{
    /// <summary>Accepts every value.</summary>
    public static SchemaPlace Anything { get; } = new("", JsonDocument.Parse("{}").RootElement);

    public SchemaPlace Child(string keyword, JsonElement schema) => new($"{Path}/{keyword}", schema);

    public SchemaPlace Child(string keyword, string name, JsonElement schema) =>
        new($"{Path}/{keyword}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}", schema);

    /// <summary>A keyword's value, or null when it is absent.</summary>
    public JsonElement? Find(string keyword) => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty(keyword, out var value) ? value : null;

    public JsonElement? Find(string keyword, JsonValueKind kind, string expected) => Find(keyword) switch
    {
        null => null,
        { } v when v.ValueKind == kind => v,
        { } v => throw Wrong(keyword, v, expected),
    };

    /// <summary>A count of 0 or more.</summary>
    public int? Count(string keyword) => Find(keyword) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } v when v.TryGetInt32(out var count) && count >= 0 => count,
        { } v => throw Wrong(keyword, v, "a whole number of 0 or more"),
    };

    public IEnumerable<SchemaPlace> List(string keyword)
    {
        if (Find(keyword, JsonValueKind.Array, "a list of schemas") is not { } list)
            yield break;
        if (list.GetArrayLength() == 0)
            throw Wrong(keyword, list, "at least one schema");
        foreach (var (i, schema) in list.EnumerateArray().Index())
            yield return Child(keyword, i.ToString(System.Globalization.CultureInfo.InvariantCulture), schema);
    }

    public ArgumentException Wrong(string keyword, JsonElement value, string expected)
    {
        var text = value.GetRawText();
        return Error($"\"{keyword}\" is {(text.Length > 60 ? text[..60] + "…" : text)}; expected {expected}.");
    }

    public ArgumentException Refused(string keyword, string supported) => Error($"\"{keyword}\" is not supported in constrained output; {supported}.");

    public ArgumentException Error(string message) => new($"Schema {(Path.Length == 0 ? "(root)" : Path)}: {message}");
}
