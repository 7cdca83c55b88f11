using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>One metric of one row.</summary>
public sealed record MetricValue(string Metric, double Value, double Weight = 1, RowStatistics? Statistics = null)
{
    /// <summary>Why there is no such value on this row, which did not fail: an answer that cites nothing has no citation precision.</summary>
    public string? NotApplicable { get; init; }

    public static MetricValue None(string metric, string why) => new(metric, 0) { NotApplicable = why };
}

/// <summary>What was found on a row.</summary>
/// <param name="Detail">What else is worth keeping; stored with the first metric, which keeps no statistics then.</param>
public sealed record RowResult(IReadOnlyList<MetricValue> Values, string? Answer = null, double? DurationMs = null, JsonObject? Detail = null)
{
    /// <summary>Why there is no result after all: the row is missing, whatever its values say.</summary>
    public string? Error { get; init; }
}

/// <summary>A row whose templates are rendered.</summary>
/// <param name="Requests">What is scored; empty for what is generated.</param>
public record PreparedRow(SuiteRow Row, string? Prompt, IReadOnlyList<string> Expected, IReadOnlyList<ScoreRequest> Requests, int[] PromptTokens)
{
    /// <summary>The prompt as it may be stored, where that is not what the model is shown; also where the row fails.</summary>
    public string? StoredPrompt { get; init; }

    public int Cost => Math.Max(1, Requests.Count > 0 ? Requests.Sum(r => r.Tokens.Length) : PromptTokens.Length);
}

/// <summary>One kind of task on one model.</summary>
public abstract class TaskMeasure(SuiteTask task, TaskText text)
{
    protected SuiteTask Task => task;
    protected TaskText Text => text;

    /// <summary>Rows of a batch that is measured and stored as a whole. It depends on nothing but the rows, so that a run that was killed measures the same batches again.</summary>
    public virtual int MostRows => 128;
    public virtual int MostTokens => 4096;

    /// <exception cref="ArgumentException">A template cannot be rendered for this row.</exception>
    public abstract PreparedRow Prepare(SuiteRow row);

    public abstract IReadOnlyList<RowResult> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct);

    /// <summary>Whether a row can be measured without this error, so that the others need not suffer.</summary>
    public static bool IsOfRow(Exception e) => e is ArgumentException or InvalidOperationException or NotSupportedException or RegexMatchTimeoutException
        or Engines.InvalidModelException or Engines.UnsupportedModelException;

    protected IReadOnlyList<MetricValue> Values(Func<SuiteMetric, MetricValue> measure) => [.. task.Metrics.Select(measure)];

    protected static MetricValue Share(SuiteMetric metric, bool right) => new(metric.Name, right ? 1 : 0);
}
