using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using LlmOps.Engines.Evaluation.Generation;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using YamlDotNet.RepresentationModel;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>A checked evaluation suite. To have one is to know that it can be run as soon as its datasets are there.</summary>
public sealed partial record SuiteDocument(string Name, string Description, IReadOnlyList<SuiteTask> Tasks)
{
    public IReadOnlyList<EvaluationTask> Measures => [.. Tasks.SelectMany(t => t.Measures)];

    /// <summary>Of the content and of the frozen rows it names: a comment or another order of keys changes nothing.</summary>
    /// <param name="datasetDigests">Dataset key → digest of its rows.</param>
    public string Digest(IReadOnlyDictionary<string, string> datasetDigests) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        Json.Write(new { Name, Description, Tasks, Datasets = datasetDigests.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => $"{d.Key}={d.Value}") }))));

    /// <summary>Parses and checks everything; the error lists every problem with its path and line.</summary>
    public static SuiteDocument Parse(string yaml)
    {
        var problems = new List<FieldProblem>();
        var document = TryParse(yaml, problems);
        if (problems.Count > 0)
            throw LlmOpsException.Invalid("The suite cannot be used:\n" + string.Join("\n", problems.Select(p => $"- {p.Path}: {p.Message}")));
        return document!;
    }

    public static SuiteDocument? TryParse(string yaml, List<FieldProblem> problems)
    {
        if (YamlReader.Root(yaml, "one YAML mapping with 'name' and 'tasks' is expected.", problems) is not { } root)
            return null;
        var reader = new YamlReader(root, "", problems);
        var name = reader.Text("name");
        if (name is null || !NamePattern().IsMatch(name))
            reader.Problem("name", "a name of lower-case letters, digits, dots, dashes and underscores is needed.");
        var description = reader.Text("description") ?? "";
        var tasks = new List<SuiteTask>();
        if (reader.Node("tasks") is YamlSequenceNode { Children.Count: > 0 } list)
            foreach (var (i, node) in list.Children.Index())
                if (node is YamlMappingNode map)
                    tasks.Add(Task(new YamlReader(map, $"tasks[{i}].", problems), problems));
                else
                    problems.Add(new($"tasks[{i}] (line {node.Start.Line})", "a task is a mapping with 'name', 'kind' and more."));
        else
            reader.Problem("tasks", "a list with at least one task is needed.");
        reader.Unknown("a suite");
        foreach (var twice in tasks.GroupBy(t => t.Name).Where(g => g.Count() > 1))
            problems.Add(new("tasks", $"two tasks have the name '{twice.Key}': their rows could not be told apart."));
        return problems.Count > 0 ? null : new SuiteDocument(name!, description, tasks);
    }

    private static SuiteTask Task(YamlReader y, List<FieldProblem> problems)
    {
        var name = y.Text("name") ?? "";
        if (!NamePattern().IsMatch(name) || name.Contains('.', StringComparison.Ordinal))
            y.Problem("name", "a name of lower-case letters, digits, dashes and underscores is needed.");
        var kindName = y.Text("kind");
        var kind = SuiteKinds.Find(kindName);
        if (kind is null)
            y.Problem("kind", $"'{kindName}' is no kind of task. Allowed: {string.Join(", ", SuiteKinds.All.Select(k => k.Name))}.");
        var task = new SuiteTask
        {
            Name = name, Kind = kindName ?? "", Dataset = y.Text("dataset"), Split = y.Text("split") ?? "held-out", Limit = y.Whole("limit", 0, 0, 10_000_000), Rows = y.Objects("rows"),
            Prompt = Template(y, "prompt"), Target = Template(y, "target"), Choices = y.Texts("choices"), Chosen = Template(y, "chosen"), Rejected = Template(y, "rejected"),
            Delimiter = y.Text("delimiter") ?? "", Chat = y.Flag("chat", true), FewShot = y.Whole("few_shot", 0, 0, 100), Shots = y.Objects("shots"), Stop = y.Texts("stop"),
            MaxTokens = y.Whole("max_tokens", 64, 1, 100_000), Temperature = y.Number("temperature", 0, 0, 10), Slice = y.Text("slice") ?? "", Cluster = y.Text("cluster") ?? "",
            Metrics = kind is null ? [] : Metrics(y, kind, problems),
        };
        task = KindKeys.Read(y, task);
        foreach (var choice in task.Choices)
            Check(y, "choices", choice);
        y.Node("metrics");
        y.Unknown("a task");
        foreach (var needed in kind?.Needs.Where(n => !y.Has(n)) ?? [])
            y.Problem(needed, $"a task of kind {kindName} needs '{needed}'.");
        Sources(y, task);
        KindKeys.Check(y, task);
        return task;
    }

    private static void Sources(YamlReader y, SuiteTask task)
    {
        if (task.Dataset is null == (task.Rows.Count == 0))
            y.Problem("dataset", "a task has either a 'dataset' (name/number) or 'rows', and not both.");
        else if (task.Dataset is { } key)
            try { VersionKey.Parse(key); } catch (LlmOpsException e) { y.Problem("dataset", e.Message); }
        if (task.Split is not ("held-out" or "train"))
            y.Problem("split", $"'{task.Split}' is no split. Allowed: held-out, train.");
        if (task.FewShot > 0 && task.Dataset is null && task.Shots.Count < task.FewShot)
            y.Problem("few_shot", $"{task.FewShot} examples are asked for and 'shots' has {task.Shots.Count}: inline rows have no train split to take them from.");
        if (task.FewShot > 0 && task is { Shots.Count: 0, Split: "train" })
            y.Problem("few_shot", "examples come from the train split, and so do the rows: name 'shots', or use the held-out split.");
        if (task.Kind == "classification" && task.Choices.Any(c => c.Contains("{{", StringComparison.Ordinal) || c.Contains("{%", StringComparison.Ordinal)))
            y.Problem("choices", "the labels of a classification are the same for all rows: write them out. Where each row has its own, the kind is multiple-choice.");
        if (task.FewShot > 0 && task.Chat)
            y.Problem("few_shot", "examples are plain text: set 'chat: false'.");
        if (task.Kind == "generation" && task.Target.Length == 0 && task.Metrics.FirstOrDefault(m => m.Name is not ("assertions" or "regex" or "is_json" or "contains_json") && !m.Options.ContainsKey("text")) is { } metric)
            y.Problem("target", $"the metric {metric.Name} compares with a 'target', and there is none.");
    }

    private static List<SuiteMetric> Metrics(YamlReader y, TaskKind kind, List<FieldProblem> problems)
    {
        var found = new List<SuiteMetric>();
        var margins = y.Node("margins") is YamlMappingNode map ? map : null;
        foreach (var node in y.Node("metrics") switch { null => [], YamlSequenceNode list => list.Children, { } one => [one] })
        {
            var options = node is YamlMappingNode mapping ? mapping.Children.ToDictionary(c => c.Key.ToString(), c => c.Value is YamlScalarNode s ? s.Value ?? "" : YamlReader.Json(c.Value)!.ToJsonString()) : [];
            var name = node is YamlScalarNode scalar ? scalar.Value : options.GetValueOrDefault("metric");
            options.Remove("metric");
            var metric = SuiteKinds.Metric(kind.Name, name ?? "");
            if (metric is null)
                y.Problem("metrics", $"'{name}' is no metric of {kind.Name}. Allowed: {string.Join(", ", kind.Metrics.Select(m => m.Name))}.");
            else if (options.Keys.FirstOrDefault(o => metric.Options?.Contains(o) != true) is { } unknown)
                y.Problem("metrics", $"{name} has no '{unknown}'. Allowed: {(metric.Options is null ? "nothing" : string.Join(", ", metric.Options))}.");
            else if (metric.Required is { } needed && !options.ContainsKey(needed))
                y.Problem("metrics", $"{name} needs '{needed}'.");
            else if (OptionProblem(options) is { } problem)
                y.Problem("metrics", $"{name}: {problem}");
            else if (found.Any(m => m.Name == name))
                y.Problem("metrics", $"{name} is there twice: give the second one a task of its own.");
            else
                found.Add(new(name!, options));
        }
        // Only a task that names none gets the usual one: a name that is wrong must not lead to complaints about another metric.
        if (found.Count == 0 && y.Node("metrics") is null)
            found.Add(new(kind.Metrics[0].Name, new Dictionary<string, string>()));
        var m = new YamlReader(margins ?? new YamlMappingNode(), "margins.", problems);
        found = [.. found.Select(f => m.Has(f.Name) ? f with { Margin = m.Number(f.Name, 0, 0, double.MaxValue) } : f)];
        m.Unknown("a task without that metric");
        return found;
    }

    private static string? OptionProblem(Dictionary<string, string> options)
    {
        try
        {
            if (options.TryGetValue("pattern", out var pattern))
                _ = new Regex(pattern, RegexOptions.CultureInvariant);
            if (options.TryGetValue("schema", out var schema))
                _ = JsonSchema.Parse(schema);
            return options.FirstOrDefault(o => o.Key is "tolerance" or "relative_tolerance" && !(double.TryParse(o.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var t) && t >= 0 && double.IsFinite(t))) is { Key: { } wrong }
                ? $"'{wrong}' is a number of 0 or more." : null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }

    internal static string Template(YamlReader y, string key)
    {
        var text = y.Text(key) ?? "";
        Check(y, key, text);
        return text;
    }

    private static void Check(YamlReader y, string key, string text)
    {
        try
        {
            RowTemplate.Parse(text);
        }
        catch (ArgumentException e)
        {
            y.Problem(key, e.Message);
        }
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]{0,99}$")]
    private static partial Regex NamePattern();
}
