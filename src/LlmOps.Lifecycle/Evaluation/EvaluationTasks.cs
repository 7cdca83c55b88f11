namespace LlmOps.Lifecycle.Evaluation;

/// <param name="IsRatio">The metric is Σ value ÷ Σ weight (bits ÷ bytes) instead of the mean of the rows.</param>
/// <param name="Proportion">Rows are 0 or 1: the interval is Wilson's.</param>
public sealed record EvaluationTask(string Name, string Metric, string Unit, bool HigherIsBetter, bool IsRatio = false, bool Proportion = false)
{
    public string FullName => $"{Name}.{Metric}";

    /// <summary>One metric of a suite's task: a task may have several, so its rows carry the full name.</summary>
    public bool OfSuite { get; init; }

    /// <summary>What <see cref="RowScore.Task"/> says on this task's rows.</summary>
    public string RowName => OfSuite ? FullName : Name;

    /// <summary>For a metric of the whole corpus ("bleu", "chrf"): it is recomputed from the sums of its rows' statistics, never averaged.</summary>
    public string? CorpusMetric { get; init; }

    /// <summary>The metric is the value below which this share of the rows lies, not their mean.</summary>
    public double? Quantile { get; init; }

    /// <summary>True where it says something about the machine as well as about the model: runs on different machines are not compared. Null otherwise, and then not written.</summary>
    public bool? OfMachine { get; init; }

    /// <summary>The difference that still counts as no worse, in the metric's unit; null where the suite states none.</summary>
    public double? Margin { get; init; }
}

/// <summary>Which tasks a run measured: its own list where it ran a suite, the built-in one otherwise.</summary>
public static class RunTasks
{
    public static IReadOnlyList<EvaluationTask> Of(EvaluationRun run) => Of(run.TasksJson);

    public static IReadOnlyList<EvaluationTask> Of(string? tasksJson) => tasksJson is null ? EvaluationTasks.All : Data.Json.Read<List<EvaluationTask>>(tasksJson);

    /// <param name="tasks">What <see cref="Of(EvaluationRun)"/> gave.</param>
    /// <param name="rowName">As the rows say it.</param>
    public static EvaluationTask Get(this IReadOnlyList<EvaluationTask> tasks, string rowName) => tasks.FirstOrDefault(t => t.RowName == rowName)
        ?? throw LlmOpsException.Invalid($"'{rowName}' is no task of this run. Tasks: {string.Join(", ", tasks.Select(t => t.RowName))}.");
}

/// <summary>The closed list of what is measured. A row score's Task is one of these names.</summary>
public static class EvaluationTasks
{
    public static readonly EvaluationTask Corpus = new("corpus", "bits_per_byte", "bits/byte", false, IsRatio: true);
    public static readonly EvaluationTask Definitions = new("definitions", "bits_per_byte", "bits/byte", false, IsRatio: true);
    public static readonly EvaluationTask Preference = new("preference", "accuracy", "share", true, Proportion: true);
    public static readonly EvaluationTask ExactMatch = new("questions", "exact_match", "share", true, Proportion: true);
    /// <summary>Small models: pictures and rows of a table whose label is right.</summary>
    public static readonly EvaluationTask Classification = new("classification", "accuracy", "share", true, Proportion: true);
    public static readonly EvaluationTask Classes = new("classes", "macro_f1", "F1", true) { CorpusMetric = "macro_f1" };
    public static readonly EvaluationTask Regression = new("regression", "r2", "R²", true) { CorpusMetric = "r2" };
    public static readonly EvaluationTask Residuals = new("residuals", "rmse", "target's unit", false) { CorpusMetric = "rmse" };
    /// <summary>Generative small models; a baseline is what needs no model, for scale.</summary>
    public static readonly EvaluationTask Reconstruction = new("reconstruction", "squared_error", "per pixel", false);
    public static readonly EvaluationTask ReconstructionBaseline = new("reconstruction_baseline", "squared_error", "per pixel", false);
    public static readonly EvaluationTask EvidenceBound = new("evidence_bound", "bits_per_pixel", "bits/pixel", false);
    public static readonly EvaluationTask CodeDivergence = new("code_divergence", "nats", "nats", false);
    public static readonly EvaluationTask Denoising = new("denoising", "squared_error", "per pixel", false);
    public static readonly EvaluationTask DenoisingBaseline = new("denoising_baseline", "squared_error", "per pixel", false);
    public static readonly EvaluationTask SampleDistance = new("sample_distance", "mmd2", "MMD²", false);
    public static readonly EvaluationTask SampleDistanceBaseline = new("sample_distance_baseline", "mmd2", "MMD²", false);
    public static readonly EvaluationTask Load = new("load", "ms", "ms", false) { OfMachine = true };
    public static readonly EvaluationTask FirstToken = new("first_token", "ms", "ms", false) { OfMachine = true };
    public static readonly EvaluationTask Latency = new("latency", "ms", "ms", false) { OfMachine = true };
    public static readonly EvaluationTask Prefill = new("prefill", "tokens_per_second", "tokens/s", true) { OfMachine = true };
    public static readonly EvaluationTask Decode = new("decode", "tokens_per_second", "tokens/s", true) { OfMachine = true };
    public static readonly EvaluationTask PeakMemory = new("memory", "peak_bytes", "bytes", false) { OfMachine = true };
    public static readonly EvaluationTask Size = new("size", "bytes", "bytes", false);

    public static IReadOnlyList<EvaluationTask> All { get; } =
    [
        Corpus, Definitions, Preference, ExactMatch, Classification, Classes, Regression, Residuals,
        Reconstruction, ReconstructionBaseline, EvidenceBound, CodeDivergence, Denoising, DenoisingBaseline, SampleDistance, SampleDistanceBaseline, Load, FirstToken, Latency, Prefill, Decode, PeakMemory, Size,
    ];

    public static EvaluationTask Get(string name) => All.FirstOrDefault(t => t.Name == name)
        ?? throw LlmOpsException.Invalid($"'{name}' is no task. Tasks: {string.Join(", ", All.Select(t => t.Name))}.");
}
