using System.Text;
using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>Reads settings from a JSON object and refuses, by name, what is missing, of the wrong type or not supported.</summary>
internal sealed class ConfigJson
{
    private readonly JsonElement root;
    private readonly string file;

    private ConfigJson(JsonElement root, string file) => (this.root, this.file) = (root, file);

    public static ConfigJson Open(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        if (!File.Exists(path))
            throw new InvalidModelException($"{file} is missing in the model folder.");
        try
        {
            using var document = JsonDocument.Parse(new UTF8Encoding(false, throwOnInvalidBytes: false).GetString(File.ReadAllBytes(path)));
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidModelException($"{file} holds no JSON object.");
            return new ConfigJson(document.RootElement.Clone(), file);
        }
        catch (JsonException e)
        {
            throw new InvalidModelException($"{file} is not valid JSON: {e.Message}", e);
        }
    }

    public JsonElement? Find(string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    /// <summary>Whether the setting is there, even as null.</summary>
    public bool Has(string name) => root.TryGetProperty(name, out _);

    /// <summary>The settings of a nested object, or null.</summary>
    public ConfigJson? Object(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } v => new ConfigJson(v, $"{file}: {name}"),
        { } v => throw Wrong(name, v, "an object"),
    };

    public int Int(string name, int? fallback = null) => Find(name) switch
    {
        null => fallback ?? throw new InvalidModelException($"{file}: {name} is missing."),
        { ValueKind: JsonValueKind.Number } v when v.TryGetInt32(out var i) => i,
        // Some writers store whole numbers with a decimal point.
        { ValueKind: JsonValueKind.Number } v when v.GetDouble() is var d && d == Math.Floor(d) && Math.Abs(d) < int.MaxValue => (int)d,
        { } v => throw Wrong(name, v, "a whole number"),
    };

    public double? Number(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } v => v.GetDouble(),
        { } v => throw Wrong(name, v, "a number"),
    };

    public double Double(string name, double fallback) => Number(name) ?? fallback;

    public double[] Numbers(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } v when v.EnumerateArray().All(e => e.ValueKind == JsonValueKind.Number) => [.. v.EnumerateArray().Select(e => e.GetDouble())],
        { } v => throw Wrong(name, v, "a list of numbers"),
    };

    public bool Bool(string name, bool fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } v => throw Wrong(name, v, "true or false"),
    };

    public string? Text(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } v => v.GetString(),
        { } v => throw Wrong(name, v, "text"),
    };

    // Some families list several end-of-sequence ids; the first is the model's own. Llama 1 says -1 for "no padding".
    public int TokenId(string name, int fallback)
    {
        var id = Find(name) is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0
            ? list[0].ValueKind == JsonValueKind.Number && list[0].TryGetInt32(out var first) ? first : throw Wrong(name, list, "whole numbers")
            : Int(name, fallback);
        return id == -1 && name == "pad_token_id" ? 0 : id;
    }

    /// <summary>One of the supported texts; null as fallback means that the setting must be there.</summary>
    public string OneOf(string name, IReadOnlyList<string> supported, string? fallback = null)
    {
        var value = Text(name) ?? fallback ?? throw new InvalidModelException($"{file}: {name} is missing.");
        return supported.Contains(value) ? value : throw new UnsupportedModelException($"{file}: {name} \"{value}\" is not supported; supported: {string.Join(", ", supported)}.");
    }

    /// <summary>Refuses another value than the only one that is computed, which is also the default.</summary>
    public void Require(string name, bool computed)
    {
        if (Bool(name, computed) != computed)
            throw new UnsupportedModelException($"{file}: {name} is {(computed ? "false" : "true")}; only models with {(computed ? "true" : "false")} are supported.");
    }

    private InvalidModelException Wrong(string name, JsonElement value, string expected) =>
        new($"{file}: {name} is {value.GetRawText()}; expected {expected}.");
}
