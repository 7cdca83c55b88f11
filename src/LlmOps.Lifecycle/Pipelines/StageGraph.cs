using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Lifecycle.Pipelines;

/// <summary>Order and references between stages. Pure: no database, no clock.</summary>
public static partial class StageGraph
{
    public sealed record Reference(string Stage, string Output, string Text);

    public static IEnumerable<Reference> References(JsonObject parameters) => parameters
        .SelectMany(p => p.Value is JsonArray list ? list.Select(i => i?.ToString() ?? "") : [p.Value?.ToString() ?? ""])
        .SelectMany(text => ReferencePattern().Matches(text))
        .Select(m => new Reference(m.Groups[1].Value, m.Groups[2].Value, m.Value));

    public static void Check(IReadOnlyList<StageDefinition> stages, List<FieldProblem> problems)
    {
        var byName = new Dictionary<string, StageDefinition>();
        for (var i = 0; i < stages.Count; i++)
            if (!byName.TryAdd(stages[i].Name, stages[i]))
                problems.Add(new($"stages[{i}].name", $"two stages are called '{stages[i].Name}'. Give each its own name."));
        for (var i = 0; i < stages.Count; i++)
        {
            foreach (var need in stages[i].Needs.Where(n => !byName.ContainsKey(n)))
                problems.Add(new($"stages[{i}].needs", $"there is no stage '{need}'. Stages: {string.Join(", ", byName.Keys)}."));
            foreach (var reference in References(stages[i].Parameters))
                if (byName.TryGetValue(reference.Stage, out var target) && !target.Kind.Outputs.Contains(reference.Output))
                    problems.Add(new($"stages[{i}].with", $"{reference.Text}: {target.Kind.Name} has no output '{reference.Output}'. Outputs: {string.Join(", ", target.Kind.Outputs)}."));
        }
        if (problems.Count == 0 && FindCycle(stages, byName) is { } cycle)
            problems.Add(new("stages", $"these stages wait for each other: {string.Join(" → ", cycle)}. Remove one of the needs."));
    }

    private static List<string>? FindCycle(IReadOnlyList<StageDefinition> stages, Dictionary<string, StageDefinition> byName)
    {
        var done = new HashSet<string>();
        var path = new List<string>();
        return stages.Select(s => Visit(s.Name)).FirstOrDefault(c => c is not null);

        List<string>? Visit(string name)
        {
            if (path.IndexOf(name) is >= 0 and var start)
                return [.. path[start..], name];
            if (!done.Add(name))
                return null;
            path.Add(name);
            var cycle = byName[name].Needs.Select(Visit).FirstOrDefault(c => c is not null);
            path.RemoveAt(path.Count - 1);
            return cycle;
        }
    }

    /// <summary>Names of the given stage and of everything that waits for it, directly or not.</summary>
    public static HashSet<string> WithDownstream(IReadOnlyCollection<StageRun> stages, string name)
    {
        var hit = new HashSet<string> { name };
        bool grew;
        do
        {
            grew = false;
            foreach (var stage in stages)
                if (!hit.Contains(stage.Name) && stage.NeedNames.Any(hit.Contains))
                    grew |= hit.Add(stage.Name);
        } while (grew);
        return hit;
    }

    /// <summary>Replaces "${stage.output}" by what that stage produced.</summary>
    public static string Resolve(string parametersJson, IReadOnlyDictionary<string, Dictionary<string, string>> outputs) =>
        ReferencePattern().Replace(parametersJson, match =>
            outputs.TryGetValue(match.Groups[1].Value, out var stage) && stage.TryGetValue(match.Groups[2].Value, out var value)
                ? System.Text.Json.JsonEncodedText.Encode(value).ToString()
                : throw LlmOpsException.Invalid($"{match.Value} has no value: the stage '{match.Groups[1].Value}' gave no output '{match.Groups[2].Value}'."));

    [GeneratedRegex(@"\$\{([a-z0-9-]+)\.([a-z0-9_-]+)\}")]
    private static partial Regex ReferencePattern();
}
