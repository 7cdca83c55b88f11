using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>Turns stored rows into numbers with intervals. There is no other way for a number to come about.</summary>
public static class SummariseRows
{
    /// <summary>Rows drawn and sorted for one quantile's interval; with very many rows fewer resamples give the same digits.</summary>
    private const int MostDraws = 50_000_000, FewestResamples = 200;

    /// <param name="tasks">What the run measured; null for the built-in tasks.</param>
    public static IReadOnlyList<EvaluationMetric> Summarise(Guid runId, IEnumerable<RowScore> rows, int resamples, IReadOnlyList<EvaluationTask>? tasks = null) =>
        [.. rows.Where(r => r.State == RowState.Scored).GroupBy(r => r.Task)
            .Select(task => Summarise(runId, (tasks ?? EvaluationTasks.All).Get(task.Key), [.. task.OrderBy(r => r.RowKey, StringComparer.Ordinal)], resamples))];

    private static EvaluationMetric Summarise(Guid runId, EvaluationTask task, RowScore[] rows, int resamples)
    {
        var values = rows.Select(r => r.Value).ToArray();
        var estimate = task switch
        {
            { CorpusMetric: not null } => CorpusMetrics.Summarise(task, rows, resamples),
            { Quantile: { } level } => Quantiles.Interval(values, level, Math.Clamp(MostDraws / values.Length, FewestResamples, Math.Max(FewestResamples, resamples))),
            { Proportion: true } when Array.TrueForAll(values, v => v is 0 or 1) => Wilson.Interval((int)values.Sum(), values.Length),
            { IsRatio: true } => Bootstrap.Ratio(values, [.. rows.Select(r => r.Weight)], resamples),
            _ when values.Length == 1 => new Estimate(values[0], values[0], values[0], 1),
            _ => Bootstrap.Mean(values, resamples),
        };
        return new EvaluationMetric
        {
            EvaluationRunId = runId, Name = task.FullName, Value = estimate.Value, Low = estimate.Low, High = estimate.High, N = estimate.N,
            Unit = task.Unit, HigherIsBetter = task.HigherIsBetter,
        };
    }
}
