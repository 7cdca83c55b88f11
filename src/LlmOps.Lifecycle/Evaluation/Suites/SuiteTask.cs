using System.Text.Json.Nodes;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>A metric of a task, with what it needs to know.</summary>
/// <param name="Margin">The difference that still counts as no worse, in the metric's unit.</param>
public sealed record SuiteMetric(string Name, IReadOnlyDictionary<string, string> Options, double? Margin = null)
{
    public bool Flag(string option) => Options.TryGetValue(option, out var value) && value == "true";
}

/// <summary>One task of a suite: rows, how a row becomes a prompt, and what is measured on the answer. Its properties are the YAML's keys.</summary>
public sealed record SuiteTask
{
    public required string Name { get; init; }
    public required string Kind { get; init; }
    /// <summary>Dataset version "name/number"; null where the rows are in the suite itself.</summary>
    public string? Dataset { get; init; }
    /// <summary>"held-out" or "train".</summary>
    public string Split { get; init; } = "held-out";
    /// <summary>Most rows: those with the smallest keys, the same ones every time. 0 is all.</summary>
    public int Limit { get; init; }
    /// <summary>Inline rows, JSON objects.</summary>
    public IReadOnlyList<JsonObject> Rows { get; init; } = [];
    /// <summary>Jinja over the row's fields; what the model is shown.</summary>
    public string Prompt { get; init; } = "";
    /// <summary>Jinja: the right answer, the index of the right choice, or the text to be predicted.</summary>
    public string Target { get; init; } = "";
    /// <summary>Jinja, one for each choice; a single one may be an expression that gives the list.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];
    public string Chosen { get; init; } = "";
    public string Rejected { get; init; } = "";
    /// <summary>Stands between prompt and answer where the prompt is plain text.</summary>
    public string Delimiter { get; init; } = "";
    /// <summary>Whether the prompt is put into the model's chat template; otherwise it is plain text to be continued.</summary>
    public bool Chat { get; init; } = true;
    /// <summary>How many solved examples come before each prompt.</summary>
    public int FewShot { get; init; }
    /// <summary>The solved examples; without them, the first rows of the dataset's train split.</summary>
    public IReadOnlyList<JsonObject> Shots { get; init; } = [];
    public IReadOnlyList<string> Stop { get; init; } = [];
    public int MaxTokens { get; init; } = 64;
    public double Temperature { get; init; }
    public IReadOnlyList<SuiteMetric> Metrics { get; init; } = [];
    /// <summary>Field that sorts rows into slices.</summary>
    public string Slice { get; init; } = "";
    /// <summary>Field that names the source that rows share.</summary>
    public string Cluster { get; init; } = "";

    /// <summary>What this task measures, as runs describe it.</summary>
    public IReadOnlyList<EvaluationTask> Measures => [.. Metrics.Select(m => SuiteKinds.Metric(Kind, m.Name)!.Of(Name, m))];
}
