using System.Text.Json;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>One component of <c>tokenizer.json</c>, by path and type, so that messages can name it.</summary>
/// <param name="Json">The object.</param>
/// <param name="Path">Where it stands, <c>pre_tokenizer.pretokenizers[1]</c>.</param>
internal readonly record struct ComponentJson(JsonElement Json, string Path)
{
    /// <summary>Value of <c>type</c>.</summary>
    public string Type => Find("type")?.GetString() ?? throw new InvalidModelException($"{Path} has no type.");

    /// <summary>A value that is there and not null.</summary>
    public JsonElement? Find(string name) => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    public JsonElement Get(string name) => Find(name) ?? throw new InvalidModelException($"{Path} has no {name}.");

    /// <summary>A component that is there and not null.</summary>
    public ComponentJson? Child(string name) => Find(name) is { } value ? new ComponentJson(value, Path.Length == 0 ? name : $"{Path}.{name}") : null;

    public IEnumerable<ComponentJson> Children(string name)
    {
        var path = $"{Path}.{name}";
        return Get(name).EnumerateArray().Select((json, i) => new ComponentJson(json, $"{path}[{i}]"));
    }

    public bool Flag(string name, bool absent) => Find(name) is { } value ? value.GetBoolean() : absent;

    public string Text(string name) => String(Get(name));

    /// <summary>A text that is not null.</summary>
    public static string String(JsonElement value) => value.GetString() ?? throw new InvalidModelException("null stands where a text is expected.");

    public int? Int(string name) => Find(name)?.GetInt32();

    /// <exception cref="UnsupportedModelException">Always.</exception>
    public UnsupportedModelException Unsupported(string supported) =>
        new($"{Path} of type {Type} is not supported; supported: {supported}.");
}
