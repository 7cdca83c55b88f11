using System.Globalization;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Pipelines.Stages;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Reads a mapping key by key; what nobody asked for is a problem, and every problem has its path and line.</summary>
internal sealed class YamlReader(YamlMappingNode map, string path, List<FieldProblem> problems)
{
    private const int MaxDepth = 32;
    private readonly HashSet<string> read = [];

    public static YamlMappingNode? Root(string yaml, string expected, List<FieldProblem> problems)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(yaml));
            if (stream.Documents.Count == 1 && stream.Documents[0].RootNode is YamlMappingNode root)
                return root;
            problems.Add(new("document", expected));
        }
        catch (YamlException e)
        {
            problems.Add(new($"line {e.Start.Line}, column {e.Start.Column}", $"this is not valid YAML: {e.Message}"));
        }
        return null;
    }

    public YamlNode? Node(string key)
    {
        read.Add(key);
        return map.Children.TryGetValue(new YamlScalarNode(key), out var node) ? node : null;
    }

    public bool Has(string key) => map.Children.ContainsKey(new YamlScalarNode(key));

    public void Problem(string key, string message) => problems.Add(new($"{path}{key} (line {(map.Children.TryGetValue(new YamlScalarNode(key), out var node) ? node : map).Start.Line})", message));

    public string? Text(string key)
    {
        if (Node(key) is not { } node)
            return null;
        if (node is YamlScalarNode scalar)
            return scalar.Value ?? "";
        Problem(key, "one text is expected here, not a list or a mapping.");
        return null;
    }

    public int Whole(string key, int fallback, int min, int max)
    {
        if (Text(key) is not { } text)
            return fallback;
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
            return value;
        Problem(key, string.Create(CultureInfo.InvariantCulture, $"'{text}' is no whole number of {min} to {max}."));
        return fallback;
    }

    public double Number(string key, double fallback, double min, double max)
    {
        if (Text(key) is not { } text)
            return fallback;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
            return value;
        Problem(key, string.Create(CultureInfo.InvariantCulture, $"'{text}' is no number of {min} to {max}."));
        return fallback;
    }

    public bool Flag(string key, bool fallback)
    {
        if (Text(key) is not { } text)
            return fallback;
        if (bool.TryParse(text, out var value))
            return value;
        Problem(key, $"'{text}' is neither true nor false.");
        return fallback;
    }

    /// <summary>A list of texts; one text is a list of one.</summary>
    public IReadOnlyList<string> Texts(string key)
    {
        switch (Node(key))
        {
            case null:
                return [];
            case YamlScalarNode one:
                return [one.Value ?? ""];
            case YamlSequenceNode list when list.Children.All(c => c is YamlScalarNode):
                return [.. list.Children.Select(c => ((YamlScalarNode)c).Value ?? "")];
            default:
                Problem(key, "a list of texts is expected here.");
                return [];
        }
    }

    public IReadOnlyList<JsonObject> Objects(string key)
    {
        if (Node(key) is not { } node)
            return [];
        if (node is YamlSequenceNode list && list.Children.All(c => c is YamlMappingNode))
            return [.. list.Children.Select(c => (JsonObject)Json(c)!)];
        Problem(key, "a list of mappings, one for each row, is expected here.");
        return [];
    }

    public void Unknown(string what, string? allowed = null)
    {
        foreach (var key in map.Children.Keys.Select(k => k.ToString()).Where(k => !read.Contains(k)))
            Problem(key, allowed ?? $"{what} has no '{key}'. Allowed: {string.Join(", ", read)}.");
    }

    /// <summary>YAML's core schema: plain true, 12, 1.5 and null are values, everything quoted is text.</summary>
    public static JsonNode? Json(YamlNode node, int depth = 0) => node switch
    {
        // An alias may make a list hold itself, and that has no end.
        _ when depth > MaxDepth => throw LlmOpsException.Invalid($"Line {node.Start.Line}: values are nested more than {MaxDepth} deep."),
        YamlScalarNode scalar => Scalar(scalar),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(c => Json(c, depth + 1))]),
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(c => KeyValuePair.Create(c.Key.ToString(), Json(c.Value, depth + 1)))),
        _ => null,
    };

    private static JsonNode? Scalar(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style != ScalarStyle.Plain)
            return JsonValue.Create(text);
        return text switch
        {
            "" or "~" or "null" or "Null" or "NULL" => null,
            "true" or "True" or "TRUE" => JsonValue.Create(true),
            "false" or "False" or "FALSE" => JsonValue.Create(false),
            _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
            _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => JsonValue.Create(number),
            _ => JsonValue.Create(text),
        };
    }
}
