using System.Text.Json.Serialization;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>The difference on the rows of one slice.</summary>
/// <param name="Effect">B minus A.</param>
public sealed record SliceComparison(string Slice, int N, double A, double B, double Effect, double Low, double High, double PValue, int Improved, int Regressed);

/// <summary>Rows that could not be paired. They are counted and shown, and never averaged.</summary>
/// <param name="InA">Rows that B scored and A did not.</param>
/// <param name="InB">Rows that A scored and B did not.</param>
/// <param name="InBoth">Rows that both tried and neither scored.</param>
public sealed record MissingRows(int InA, int InB, int InBoth)
{
    [JsonIgnore]
    public int Total => InA + InB + InBoth;
}

/// <summary>One metric of two runs, on the rows that both scored.</summary>
/// <param name="Key">What the rows' Task is called.</param>
/// <param name="A">The metric of A on the paired rows.</param>
/// <param name="B">The metric of B on the paired rows.</param>
/// <param name="Difference">B minus A with its 95 % interval.</param>
/// <param name="PValue">Two-sided, of no difference.</param>
/// <param name="AdjustedPValue">The same after Holm over all metrics compared.</param>
/// <param name="Improved">Rows on which B is better than A.</param>
/// <param name="Regressed">Rows on which B is worse than A.</param>
/// <param name="Clusters">Sources that the rows come from, where rows share one; null when every row stands alone.</param>
/// <param name="Test">How the interval and p were computed.</param>
/// <param name="Spread">Standard deviation that one row adds to the difference: its error is this ÷ √n, whatever the metric.</param>
public sealed record MetricComparison(string Key, EvaluationTask Task, double A, double B, MeasuredMetric Difference, double PValue, double AdjustedPValue,
    int Improved, int Regressed, MissingRows Missing, int? Clusters, string Test, double Spread, IReadOnlyList<SliceComparison> Slices)
{
    public int Same => Difference.N - Improved - Regressed;
    /// <summary>Share of the rows on which the two runs differ.</summary>
    public double Discordance => Difference.N == 0 ? 0 : (double)(Improved + Regressed) / Difference.N;
    /// <summary>1: B is better, −1: B is worse, 0: the rows cannot tell.</summary>
    public int Judgement => Difference.Low > 0 ? Task.HigherIsBetter ? 1 : -1 : Difference.High < 0 ? Task.HigherIsBetter ? -1 : 1 : 0;
}

/// <param name="Unpaired">Metrics that both runs have, but on fewer than two rows in common, or on rows of one source only.</param>
public sealed record Comparison(EvaluationRun A, EvaluationRun B, IReadOnlyList<MetricComparison> Metrics, IReadOnlyList<string> Unpaired)
{
    /// <summary>Metric → why it is not compared although both runs have it.</summary>
    public IReadOnlyDictionary<string, string> Incomparable { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<MeasuredMetric> Differences => [.. Metrics.Select(m => m.Difference)];

    /// <summary>Of metrics whose rows are 0 or 1: how many rows changed sides.</summary>
    public IReadOnlyDictionary<string, (int Improved, int Regressed)> Flips => Metrics.Where(m => m.Task.Proportion).ToDictionary(m => m.Key, m => (m.Improved, m.Regressed));
}

public sealed record PairedRow(string Task, string RowKey, RowScore A, RowScore B);

/// <summary>One row of a task in each of the compared runs; null where a run has no such row.</summary>
public sealed record RowAcrossRuns(string RowKey, IReadOnlyList<RowScore?> Runs)
{
    public string? Prompt => Runs.Select(r => r?.Prompt).FirstOrDefault(t => t is not null);
    public string? Expected => Runs.Select(r => r?.Expected).FirstOrDefault(t => t is not null);
    public string? Slice => Runs.Select(r => r?.Slice).FirstOrDefault(t => t is not null);
}
