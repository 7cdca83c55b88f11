using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>How a judge behaved over the rows of a task: whether place or length moves it, whether it agrees with itself, and what it cost.</summary>
/// <param name="FirstWins">Share of decided questions that the answer shown first wins; half when place means nothing.</param>
/// <param name="OrderConsistency">Share of rows on which both orders say the same.</param>
/// <param name="LongerWins">Share of rows decided in both orders that the longer answer wins.</param>
/// <param name="LengthCorrelation">Where single answers are graded: correlation of score and length.</param>
/// <param name="SelfConsistency">Share of samples that say what most of them say.</param>
/// <param name="TokensKnown">False when the endpoint did not say how many tokens it took: then the cost is a lower bound.</param>
public sealed record JudgeConduct(string Judge, int Rows, int Questions, Estimate? FirstWins, double? OrderConsistency, Estimate? LongerWins, double? LengthCorrelation, double? SelfConsistency,
    long PromptTokens, long AnswerTokens, bool TokensKnown, double CostUsd)
{
    public bool IsPlaceBiased => FirstWins is { } share && Math.Abs(share.Value - 0.5) > OrderBias.Alarm && (share.Low > 0.5 || share.High < 0.5);

    public bool IsLengthBiased => LongerWins is { } share && (share.Low > 0.5 || share.High < 0.5) && Math.Abs(share.Value - 0.5) > OrderBias.Alarm;

    public static JudgeConduct? Of(IReadOnlyList<JudgeTrace> traces, JudgeDocument judge)
    {
        if (traces.Count == 0)
            return null;
        var orders = traces.Select(t => t.Orders).OfType<BothOrders>().ToList();
        var bias = orders.Count > 0 ? OrderBias.Of(orders, resamples: 200) : null;
        var asked = traces.SelectMany(t => t.Asked).ToList();
        var self = traces.Select(t => t.SelfConsistency).OfType<double>().ToList();
        return new(traces[0].Judge, traces.Count, asked.Count, bias?.FirstWins, bias?.Consistency, bias?.LongerWins,
            judge.Mode == JudgeDocument.Score ? Correlation([.. traces.Select(t => (double)t.CandidateLength)], [.. traces.Select(t => t.MeanScore)]) : null,
            self.Count > 0 ? self.Average() : null, asked.Sum(q => (long)q.PromptTokens), asked.Sum(q => (long)q.AnswerTokens), asked.All(q => q.PromptTokens > 0),
            asked.Sum(q => judge.CostUsd(q.PromptTokens, q.AnswerTokens)));
    }

    /// <summary>Pearson's; null when one of the two never changes.</summary>
    private static double? Correlation(double[] x, double[] y)
    {
        var (meanX, meanY) = (x.Average(), y.Average());
        double xy = 0, xx = 0, yy = 0;
        for (var i = 0; i < x.Length; i++)
            (xy, xx, yy) = (xy + (x[i] - meanX) * (y[i] - meanY), xx + (x[i] - meanX) * (x[i] - meanX), yy + (y[i] - meanY) * (y[i] - meanY));
        return xx > 0 && yy > 0 ? xy / Math.Sqrt(xx * yy) : null;
    }
}
