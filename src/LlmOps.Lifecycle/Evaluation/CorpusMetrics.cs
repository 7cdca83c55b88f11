using System.Text.Json;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>Metrics that are no mean of rows: each row keeps sufficient statistics, and the metric is computed from their sums.</summary>
internal static class CorpusMetrics
{
    private static readonly IReadOnlyDictionary<string, Func<double[], double>> Known = new Dictionary<string, Func<double[], double>>();

    /// <summary>Sums of sufficient statistics → the metric; null for metrics that are a mean or a ratio.</summary>
    public static Func<double[], double>? Find(EvaluationTask task) => task.CorpusMetric is { } name ? Known[name] : null;

    /// <summary>A corpus metric that this build cannot recompute is left out of comparisons rather than averaged.</summary>
    public static bool CanCompare(EvaluationTask task) => task.CorpusMetric is null || Known.ContainsKey(task.CorpusMetric);

    /// <summary>The numbers under "statistics" of a row's detail.</summary>
    public static double[] Statistics(string? detailJson)
    {
        using var document = JsonDocument.Parse(detailJson ?? "{}");
        return document.RootElement.TryGetProperty("statistics", out var list)
            ? [.. list.EnumerateArray().Select(n => n.GetDouble())]
            : throw new InvalidOperationException("A row of a corpus metric was stored without its statistics.");
    }
}
