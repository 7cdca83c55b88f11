using System.Globalization;
using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Deployments;

/// <summary>Decides about a canary from what both revisions did. Worse has to be shown: the bound on the difference itself lies beyond what is tolerated.</summary>
public static class CanaryRule
{
    private const int Measures = 3;
    private const int LeastDurations = 10;

    /// <summary>The look that is due with so many requests of the new revision; 0 before the first.</summary>
    public static int LookAt(CanaryPolicy policy, int candidateRequests) => (int)Math.Min(policy.Looks, (long)candidateRequests * policy.Looks / policy.Requests);

    public static CanaryReport Judge(CanaryPolicy policy, CanarySample baseline, CanarySample candidate, int look)
    {
        var level = AlphaSpending.NominalLevels(policy.Looks, policy.Alpha)[look - 1] / Measures;
        CanaryMeasure[] measures = [.. new[] { Errors(policy, baseline, candidate, level), Latency(policy, baseline, candidate, level), Feedback(policy, baseline, candidate, level) }.OfType<CanaryMeasure>()];
        var worse = measures.Where(m => m.Verdict == Verdict.Fail).ToList();
        var verdict = worse.Count > 0 ? Verdict.Fail : look == policy.Looks && measures.Length > 0 && measures.All(m => m.Verdict == Verdict.Pass) ? Verdict.Pass : Verdict.CannotTell;
        return new(look, level, baseline.Requests, candidate.Requests, verdict, measures, Words(policy, look, verdict, worse.Count > 0 ? worse : measures));
    }

    private static CanaryMeasure? Errors(CanaryPolicy policy, CanarySample baseline, CanarySample candidate, double level)
    {
        if (baseline.Requests == 0 || candidate.Requests == 0)
            return null;
        var (worse, low, high) = NewcombeInterval.Of(candidate.Failures, candidate.Requests, baseline.Failures, baseline.Requests, level);
        return Measure("errors", Share(baseline.Failures, baseline.Requests), Share(candidate.Failures, candidate.Requests), worse, low, high, policy.ErrorTolerance);
    }

    private static CanaryMeasure? Feedback(CanaryPolicy policy, CanarySample baseline, CanarySample candidate, double level)
    {
        if (baseline.Rated == 0 || candidate.Rated == 0)
            return null;
        var (worse, low, high) = NewcombeInterval.Of(baseline.Good, baseline.Rated, candidate.Good, candidate.Rated, level);
        return Measure("feedback", Share(baseline.Good, baseline.Rated), Share(candidate.Good, candidate.Rated), worse, low, high, policy.FeedbackTolerance);
    }

    // Durations are skewed: their logarithms are compared, by Welch's t, and the difference told as a ratio.
    private static CanaryMeasure? Latency(CanaryPolicy policy, CanarySample baseline, CanarySample candidate, double level)
    {
        if (baseline.LogDurations.Count < LeastDurations || candidate.LogDurations.Count < LeastDurations)
            return null;
        var ((meanA, varianceA), (meanB, varianceB)) = (Moments(baseline.LogDurations), Moments(candidate.LogDurations));
        double a = varianceA / baseline.LogDurations.Count, b = varianceB / candidate.LogDurations.Count;
        var freedom = a + b == 0 ? 1 : (a + b) * (a + b) / (a * a / (baseline.LogDurations.Count - 1) + b * b / (candidate.LogDurations.Count - 1));
        var half = StudentT.Quantile(1 - level, Math.Max(1, (int)freedom)) * Math.Sqrt(a + b);
        var worse = meanB - meanA;
        return Measure("latency", Math.Exp(meanA), Math.Exp(meanB), Math.Exp(worse) - 1, Math.Exp(worse - half) - 1, Math.Exp(worse + half) - 1, policy.LatencyTolerance);
    }

    private static (double Mean, double Variance) Moments(IReadOnlyList<double> values)
    {
        var mean = values.Average();
        return (mean, values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1));
    }

    private static double Share(int part, int all) => part / (double)all;

    private static CanaryMeasure Measure(string name, double baseline, double candidate, double worse, double low, double high, double tolerance) =>
        new(name, baseline, candidate, worse, low, high, tolerance, low > tolerance ? Verdict.Fail : high <= tolerance ? Verdict.Pass : Verdict.CannotTell);

    private static string Words(CanaryPolicy policy, int look, Verdict verdict, IReadOnlyList<CanaryMeasure> shown) => verdict switch
    {
        Verdict.Fail => $"Worse by more than is tolerated: {string.Join("; ", shown.Select(Told))}.",
        Verdict.Pass => "Worse in nothing by more than is tolerated.",
        _ when look == policy.Looks => $"All planned requests were seen and do not tell: {string.Join("; ", shown.Where(m => m.Verdict != Verdict.Pass).Select(Told))}.",
        _ => $"Look {look} of {policy.Looks}: nothing is shown yet.",
    };

    private static string Told(CanaryMeasure m) => m.Name == "latency"
        ? string.Create(CultureInfo.InvariantCulture, $"latency {m.Candidate:0} ms against {m.Baseline:0} ms, {m.Worse:+0 %;-0 %} (at least {m.Low:+0 %;-0 %}, tolerated {m.Tolerance:0 %})")
        : string.Create(CultureInfo.InvariantCulture, $"{m.Name} {m.Candidate:0.0 %} against {m.Baseline:0.0 %} (worse by at least {100 * m.Low:0.0} points, tolerated {100 * m.Tolerance:0.0})");
}
