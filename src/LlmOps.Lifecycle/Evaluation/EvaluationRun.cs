using LlmOps.Lifecycle.Jobs;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>A named set of tasks over pinned dataset versions.</summary>
public sealed class EvaluationSuite
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    /// <summary>The stage parameters that define it, JSON.</summary>
    public required string DefinitionJson { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A suite as it was written once. Never changed: the same content is the same version.</summary>
public sealed class SuiteVersion
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid SuiteId { get; init; }
    public int Number { get; init; }
    public required string Yaml { get; init; }
    public required string Digest { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>One model form measured on one suite. Its numbers come from its <see cref="RowScore"/>s and from nothing else.</summary>
public sealed class EvaluationRun
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid SuiteId { get; init; }
    public EvaluationSuite? Suite { get; init; }
    public Guid VersionId { get; init; }
    /// <summary>Name of the variant, or "checkpoint" when the training framework itself ran it.</summary>
    public required string VariantName { get; init; }
    public JobState State { get; set; }
    public required string DatasetsJson { get; init; }
    public Guid JobId { get; init; }
    public Guid? SuiteVersionId { get; init; }
    /// <summary>Which repeat of the same measurement this is, from 0. Repeats show the suite's noise floor.</summary>
    public int Repeat { get; init; }
    /// <summary>The tasks this run measures, JSON; null for the built-in tasks of <see cref="EvaluationTasks.All"/>.</summary>
    public string? TasksJson { get; init; }
    /// <summary>What else is known: missing rows, contamination, cost; JSON.</summary>
    public string? DetailJson { get; set; }
    public string? Note { get; set; }
    public DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset? EndedAt { get; set; }
    public required string CreatedBy { get; init; }
    public List<EvaluationMetric> Metrics { get; init; } = [];
}

/// <summary>A number with its unit, its count and its 95 % confidence interval.</summary>
public sealed class EvaluationMetric
{
    public Guid EvaluationRunId { get; init; }
    /// <summary>"task.metric", for example "definitions.bits_per_byte".</summary>
    public required string Name { get; init; }
    public double Value { get; init; }
    public double Low { get; init; }
    public double High { get; init; }
    public int N { get; init; }
    public required string Unit { get; init; }
    public bool HigherIsBetter { get; init; }
}

public enum RowState
{
    Scored,
    /// <summary>It failed: it has no value, is counted and shown, and can be measured again.</summary>
    Missing,
    /// <summary>It was measured, and the metric says nothing about it: no failure, and no value either.</summary>
    NotApplicable,
}

/// <summary>The result of one row of one task. Value ÷ Weight is the row's score where a metric is a ratio (bits ÷ bytes).</summary>
public sealed class RowScore
{
    public long Id { get; init; }
    public Guid EvaluationRunId { get; init; }
    public required string Task { get; init; }
    /// <summary>Key of the row in its dataset: the same in every run, so that runs can be paired.</summary>
    public required string RowKey { get; init; }
    public double Value { get; init; }
    public double Weight { get; init; } = 1;
    public string? Prompt { get; init; }
    public string? Expected { get; init; }
    public string? Answer { get; init; }
    public string? Slice { get; init; }
    /// <summary>A missing row has no value: it is counted and shown, and never averaged.</summary>
    public RowState State { get; set; }
    /// <summary>Why the row is missing.</summary>
    public string? Error { get; set; }
    /// <summary>Rows from one source (questions about one passage) are not independent: they share a cluster.</summary>
    public string? Cluster { get; init; }
    /// <summary>Sufficient statistics of a corpus metric, a judge's trace; JSON.</summary>
    public string? DetailJson { get; init; }
    public double? DurationMs { get; init; }

    /// <summary>The same row with the texts of its item, which may be stored with another metric.</summary>
    public RowScore WithTexts(string? prompt, string? expected, string? answer, string? detail = null) => new()
    {
        Id = Id, EvaluationRunId = EvaluationRunId, Task = Task, RowKey = RowKey, Value = Value, Weight = Weight, Slice = Slice, State = State, Error = Error, Cluster = Cluster,
        DetailJson = DetailJson ?? detail, DurationMs = DurationMs, Prompt = prompt, Expected = expected, Answer = answer,
    };
}
