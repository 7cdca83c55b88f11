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
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
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

    public int Int(string name, int? fallback = null) => Find(name) switch
    {
        null => fallback ?? throw new InvalidModelException($"{file}: {name} is missing."),
        { ValueKind: JsonValueKind.Number } v when v.TryGetInt32(out var i) => i,
        { } v => throw Wrong(name, v, "a whole number"),
    };

    public double Double(string name, double fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.Number } v => v.GetDouble(),
        { } v => throw Wrong(name, v, "a number"),
    };

    public bool Bool(string name, bool fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } v => throw Wrong(name, v, "true or false"),
    };

    // Some families list several end-of-sequence ids; the first is the model's own.
    public int TokenId(string name, int fallback) => Find(name) is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0
        ? list[0].TryGetInt32(out var first) ? first : throw Wrong(name, list, "whole numbers")
        : Int(name, fallback);

    public void RequireOneOf(string name, params string[] supported)
    {
        var value = Find(name) switch
        {
            null => throw new InvalidModelException($"{file}: {name} is missing."),
            { ValueKind: JsonValueKind.String } v => v.GetString()!,
            { } v => throw Wrong(name, v, "text"),
        };
        if (!supported.Contains(value))
            throw new UnsupportedModelException($"{file}: {name} \"{value}\" is not supported; supported: {string.Join(", ", supported)}.");
    }

    public void RequireFalse(string name)
    {
        if (Bool(name, false))
            throw new UnsupportedModelException($"{file}: {name} is true; only models without these biases are supported.");
    }

    // Older files say rope_scaling {type|rope_type}, newer ones rope_parameters {rope_type, rope_theta}.
    public void RequireDefaultRope()
    {
        foreach (var name in new[] { "rope_scaling", "rope_parameters" })
        {
            if (Find(name) is not { ValueKind: JsonValueKind.Object } rope)
                continue;
            if (!rope.TryGetProperty("rope_type", out var type) && !rope.TryGetProperty("type", out type))
                continue;
            if (type.ValueKind != JsonValueKind.String || type.GetString() != "default")
                throw new UnsupportedModelException($"{file}: {name} of type {type} is not supported; supported: default.");
        }
    }

    public double RopeTheta(double fallback) =>
        Find("rope_parameters") is { ValueKind: JsonValueKind.Object } rope && rope.TryGetProperty("rope_theta", out var theta) && theta.ValueKind == JsonValueKind.Number
            ? theta.GetDouble()
            : Double("rope_theta", fallback);

    private InvalidModelException Wrong(string name, JsonElement value, string expected) =>
        new($"{file}: {name} is {value.GetRawText()}; expected {expected}.");
}
