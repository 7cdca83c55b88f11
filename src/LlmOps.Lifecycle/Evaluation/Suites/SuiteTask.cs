using System.Text.Json.Nodes;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>A metric of a task, with what it needs to know.</summary>
/// <param name="Margin">The difference that still counts as no worse, in the metric's unit.</param>
public sealed record SuiteMetric(string Name, IReadOnlyDictionary<string, string> Options, double? Margin = null)
{
    /// <summary>0 where it is not given.</summary>
    public double Number(string option) => Options.TryGetValue(option, out var value) ? double.Parse(value, System.Globalization.CultureInfo.InvariantCulture) : 0;

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

    // Keys of single kinds. Null where the kind has no such key, or its default holds: a suite's digest is of what is written, so a key that is new changes no old digest.

    /// <summary>code: Jinja, what is put behind the program; it must end with another exit code than 0 where the answer is wrong.</summary>
    public string? Tests { get; init; }
    public string? Interpreter { get; init; }
    /// <summary>code: answers drawn for each row.</summary>
    public int? Samples { get; init; }
    public double? TimeoutSeconds { get; init; }
    public int? MemoryMb { get; init; }
    /// <summary>rag: index of a knowledge base, "name/number".</summary>
    public string? Knowledge { get; init; }
    /// <summary>rag: Jinja, what is searched for. judge-pairwise, judge-score: the request as the judge is shown it; the prompt when left out.</summary>
    public string? Question { get; init; }
    /// <summary>rag: Jinja giving a list, the documents or passages that should be found.</summary>
    public string? Relevant { get; init; }
    public int? TopK { get; init; }
    /// <summary>rag: "extractive", "model" or "none".</summary>
    public string? Answers { get; init; }
    /// <summary>latency: requests before the first one that counts.</summary>
    public int? Warmup { get; init; }
    /// <summary>latency: how often each row is asked.</summary>
    public int? Requests { get; init; }
    public int? Threads { get; init; }
    /// <summary>safety: Jinja giving true where a refusal is right.</summary>
    public string? Harmful { get; init; }
    /// <summary>judge-pairwise, judge-score: version of a judge, "name/number".</summary>
    public string? Judge { get; init; }
    /// <summary>judge-pairwise: Jinja, the answer that the model's is compared with.</summary>
    public string? Baseline { get; init; }

    /// <summary>What this task measures, as runs describe it.</summary>
    public IReadOnlyList<EvaluationTask> Measures => [.. Metrics.Select(m => SuiteKinds.Metric(Kind, m.Name)!.Of(Name, m)).Select(Exact)];

    /// <summary>One program for each row is right or wrong; several give a share.</summary>
    private EvaluationTask Exact(EvaluationTask measure) => Kind == "code" && (Samples ?? 1) == 1 ? measure with { Proportion = true } : measure;
}
