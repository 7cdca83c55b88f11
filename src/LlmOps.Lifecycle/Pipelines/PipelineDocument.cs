using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace LlmOps.Lifecycle.Pipelines;

public sealed record StageDefinition(string Name, StageKind Kind, IReadOnlyList<string> Needs, JsonObject Parameters);

/// <summary>A checked pipeline. To have one is to know that it can be started.</summary>
public sealed partial record PipelineDocument(string Name, string Description, IReadOnlyList<StageDefinition> Stages)
{
    private static readonly string[] TopKeys = ["name", "description", "stages"];
    private static readonly string[] StageKeys = ["name", "kind", "needs", "with"];

    /// <summary>Parses and checks everything; the error lists every problem with its path in the document.</summary>
    public static PipelineDocument Parse(string yaml)
    {
        var problems = new List<FieldProblem>();
        var document = TryParse(yaml, problems);
        if (problems.Count > 0)
            throw LlmOpsException.Invalid("The pipeline cannot be used:\n" + string.Join("\n", problems.Select(p => $"- {p.Path}: {p.Message}")));
        return document!;
    }

    public static PipelineDocument? TryParse(string yaml, List<FieldProblem> problems)
    {
        if (Root(yaml, problems) is not { } root)
            return null;
        Unknown(root, TopKeys, "", problems);
        var name = Text(root, "name");
        if (name is null || !NamePattern().IsMatch(name))
            problems.Add(new("name", "a name of lower-case letters, digits and dashes is needed."));
        if (Child(root, "stages") is not YamlSequenceNode list || list.Children.Count == 0)
        {
            problems.Add(new("stages", "a list with at least one stage is needed."));
            return null;
        }
        var stages = list.Children.Select((node, i) => Stage(node, $"stages[{i}]", problems)).OfType<StageDefinition>().ToList();
        if (problems.Count == 0)
            StageGraph.Check(stages, problems);
        return problems.Count > 0 ? null : new PipelineDocument(name!, Text(root, "description") ?? "", stages);
    }

    private static YamlMappingNode? Root(string yaml, List<FieldProblem> problems)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(yaml));
            if (stream.Documents.Count == 1 && stream.Documents[0].RootNode is YamlMappingNode root)
                return root;
            problems.Add(new("document", "one YAML mapping with 'name' and 'stages' is expected."));
        }
        catch (YamlException e)
        {
            problems.Add(new($"line {e.Start.Line}, column {e.Start.Column}", $"this is not valid YAML: {e.Message}"));
        }
        return null;
    }

    private static StageDefinition? Stage(YamlNode node, string path, List<FieldProblem> problems)
    {
        if (node is not YamlMappingNode map)
        {
            problems.Add(new(path, "a stage is a mapping with 'name', 'kind' and 'with'."));
            return null;
        }
        Unknown(map, StageKeys, path + ".", problems);
        var kindName = Text(map, "kind");
        var name = Text(map, "name") ?? kindName;
        if (name is null || !NamePattern().IsMatch(name))
            problems.Add(new(path + ".name", "a name of lower-case letters, digits and dashes is needed."));
        if (kindName is null || StageKinds.Find(kindName) is not { } kind)
        {
            problems.Add(new(path + ".kind", $"'{kindName}' is no stage kind. Allowed: {string.Join(", ", StageKinds.All.Select(k => k.Name))}."));
            return null;
        }
        var values = new Dictionary<string, object?>();
        if (Child(map, "with") is { } with)
        {
            if (with is YamlMappingNode parameters)
                foreach (var (key, value) in parameters.Children)
                    values[key.ToString()] = Value(value);
            else
            {
                problems.Add(new(path + ".with", "a mapping of parameters is expected."));
                return null;
            }
        }
        var checkedParameters = StageFields.Check(kind, values, path + ".with", problems);
        CheckRules(checkedParameters["rules"] as JsonArray, path + ".with.rules", problems);
        var needs = Child(map, "needs") switch
        {
            YamlSequenceNode several => several.Children.Select(n => n.ToString()).ToList(),
            YamlScalarNode { Value.Length: > 0 } one => [one.Value],
            _ => [],
        };
        // A reference to a stage's output is a need, whether it is written down again or not.
        needs.AddRange(StageGraph.References(checkedParameters).Select(r => r.Stage));
        return name is null ? null : new StageDefinition(name, kind, [.. needs.Distinct()], checkedParameters);
    }

    /// <summary>A gate comes after hours of training: a rule that cannot be read has to be said now.</summary>
    private static void CheckRules(JsonArray? rules, string path, List<FieldProblem> problems)
    {
        foreach (var rule in rules?.Select(r => r!.GetValue<string>()).Where(r => !string.IsNullOrWhiteSpace(r)) ?? [])
            if (PromotionGate.Problem(rule) is { } problem)
                problems.Add(new(path, problem));
    }

    private static object? Value(YamlNode node) => node switch
    {
        YamlScalarNode scalar => scalar.Value,
        // Lists hold plain values only. Anything deeper is not followed: an alias may make a list hold itself, and that has no end.
        YamlSequenceNode sequence when sequence.Children.All(c => c is YamlScalarNode) => sequence.Children.Select(c => ((YamlScalarNode)c).Value).ToList(),
        _ => new object(),
    };

    private static void Unknown(YamlMappingNode map, string[] allowed, string path, List<FieldProblem> problems)
    {
        foreach (var key in map.Children.Keys.Select(k => k.ToString()).Where(k => !allowed.Contains(k)))
            problems.Add(new(path + key, $"unknown key. Allowed: {string.Join(", ", allowed)}."));
    }

    private static YamlNode? Child(YamlMappingNode map, string key) => map.Children.TryGetValue(new YamlScalarNode(key), out var node) ? node : null;

    private static string? Text(YamlMappingNode map, string key) => (Child(map, key) as YamlScalarNode)?.Value;

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
    private static partial Regex NamePattern();
}
