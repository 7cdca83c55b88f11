using System.Globalization;
using LlmOps.Engines.Evaluation.Drift;
using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <summary>What one stretch of time looked like.</summary>
/// <param name="Refusals">Answers that refuse, of all <paramref name="Answers"/>.</param>
/// <param name="Embeddings">Of the questions; empty when nothing could embed them.</param>
public sealed record DriftSample(IReadOnlyList<double> PromptTokens, IReadOnlyList<double> CompletionTokens, IReadOnlyList<double> LatencyMs, int Refusals, int Answers, IReadOnlyList<float[]> Embeddings);

/// <summary>Says whether a window differs from its baseline. A difference has to be shown, and to be larger than what is tolerated: both are asked.</summary>
public static class DriftRule
{
    /// <summary>How many measures there can be: they share the policy's alpha.</summary>
    public const int Count = 8;
    private const int Bins = 10, Resamples = 1000, Permutations = 1999;

    /// <summary>All measures for which both sides have enough.</summary>
    public static IReadOnlyList<DriftMeasure> Compare(DriftPolicy policy, DriftSample baseline, DriftSample window)
    {
        var level = Level(policy);
        return [.. new[]
        {
            Lengths("prompt-tokens", baseline.PromptTokens, window.PromptTokens), Lengths("completion-tokens", baseline.CompletionTokens, window.CompletionTokens), Lengths("latency-ms", baseline.LatencyMs, window.LatencyMs),
            Refusals(policy, baseline, window, level), Embeddings(policy, baseline, window, level),
        }.SelectMany(m => m)];

        DriftMeasure[] Lengths(string name, IReadOnlyList<double> a, IReadOnlyList<double> b) =>
            Math.Min(a.Count, b.Count) < policy.LeastTraces ? [] : [Index(policy, name, [.. a], [.. b], level), Distance(policy, name, [.. a], [.. b], level)];
    }

    /// <summary>The level of one measure (Bonferroni): all of them together keep to the policy's.</summary>
    public static double Level(DriftPolicy policy) => policy.Alpha / Count;

    public static (Verdict Verdict, string Words) Judge(DriftPolicy policy, IReadOnlyList<DriftMeasure> measures, int baselineTraces, int windowTraces)
    {
        if (measures.Count == 0)
            return (Verdict.CannotTell, $"Too few traces: {baselineTraces} in the baseline and {windowTraces} in the window; at least {policy.LeastTraces} of each are compared.");
        if (measures.Where(m => m.Verdict == Verdict.Fail).ToList() is { Count: > 0 } moved)
            return (Verdict.Fail, $"Drifted by more than is tolerated: {string.Join("; ", moved.Select(Told))}.");
        return measures.All(m => m.Verdict == Verdict.Pass) ? (Verdict.Pass, "Nothing has drifted by more than is tolerated.")
            : (Verdict.CannotTell, $"No drift is shown; the traces are too few to rule it out for {string.Join(", ", measures.Where(m => m.Verdict == Verdict.CannotTell).Select(m => Called(m.Name)).Distinct())}.");
    }

    public static string Called(string name) => name switch { "prompt-tokens" => "prompt length", "completion-tokens" => "answer length", "latency-ms" => "latency", "refusals" => "refusals", _ => "meaning of the questions" };

    public static string MethodCalled(string method) => method switch { "psi" => "stability index", "ks" => "Kolmogorov–Smirnov distance", "mmd" => "kernel distance MMD²", _ => "difference of shares" };

    private static DriftMeasure Index(DriftPolicy policy, string name, double[] a, double[] b, double level)
    {
        var found = PopulationStability.Interval(a, b, Bins, 1 - 2 * level, Resamples, policy.Seed);
        var edges = PopulationStability.Edges(a, Bins);
        int[] first = PopulationStability.Count(a, edges), second = PopulationStability.Count(b, edges);
        var bins = first.Select((count, i) => new DriftBin(i < edges.Length ? edges[i] : null, (double)count / a.Length, (double)second[i] / b.Length)).ToList();
        return Measure(name, "psi", found.Value, found.Low, found.High, null, level, policy.PsiThreshold, Quantiles.Of(a, 0.5), Quantiles.Of(b, 0.5), a.Length, b.Length) with { Bins = bins };
    }

    private static DriftMeasure Distance(DriftPolicy policy, string name, double[] a, double[] b, double level)
    {
        var found = KolmogorovSmirnov.Test(a, b, 1 - 2 * level, Resamples, policy.Seed);
        return Measure(name, "ks", found.Statistic, found.Low, found.High, found.PValue, level, policy.KsThreshold, Quantiles.Of(a, 0.5), Quantiles.Of(b, 0.5), a.Length, b.Length);
    }

    private static DriftMeasure[] Refusals(DriftPolicy policy, DriftSample a, DriftSample b, double level)
    {
        if (Math.Min(a.Answers, b.Answers) < policy.LeastTraces)
            return [];
        var (difference, low, high) = NewcombeInterval.Of(b.Refusals, b.Answers, a.Refusals, a.Answers, level);
        // Fewer refusals than before are a change as well: what was refused for a reason may now be answered.
        var (nearest, farthest) = low > 0 ? (low, high) : high < 0 ? (-high, -low) : (0, Math.Max(high, -low));
        return [new("refusals", "difference", difference, low, high, null, policy.RefusalThreshold, Of(nearest, farthest, null, level, policy.RefusalThreshold), (double)a.Refusals / a.Answers, (double)b.Refusals / b.Answers, a.Answers, b.Answers)];
    }

    private static DriftMeasure[] Embeddings(DriftPolicy policy, DriftSample a, DriftSample b, double level)
    {
        if (Math.Min(a.Embeddings.Count, b.Embeddings.Count) < Math.Min(policy.LeastTraces, DriftPolicy.MostEmbedded))
            return [];
        var found = KernelTwoSampleTest.Test(a.Embeddings, b.Embeddings, 1 - 2 * level, Permutations, policy.Seed);
        return [Measure("embeddings", "mmd", found.SquaredDistance, found.Low, found.High, found.PValue, level, policy.MmdThreshold, null, null, a.Embeddings.Count, b.Embeddings.Count)];
    }

    private static DriftMeasure Measure(string name, string method, double value, double low, double high, double? p, double level, double threshold, double? baseline, double? window, int n, int m) =>
        new(name, method, value, low, high, p, threshold, Of(low, high, p, level, threshold), baseline, window, n, m);

    private static Verdict Of(double low, double high, double? p, double level, double threshold) =>
        low > threshold && (p ?? 0) <= level ? Verdict.Fail : high <= threshold ? Verdict.Pass : Verdict.CannotTell;

    private static string Told(DriftMeasure m) => m.Name switch
    {
        "refusals" => string.Create(CultureInfo.InvariantCulture, $"refusals {m.Window:0.0 %} against {m.Baseline:0.0 %}"),
        "embeddings" => string.Create(CultureInfo.InvariantCulture, $"meaning of the questions, MMD² {m.Value:0.0000} (at least {m.Low:0.0000}, tolerated {m.Threshold:0.####})"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Called(m.Name)}, median {m.Window:0.#} against {m.Baseline:0.#}, {MethodCalled(m.Method)} {m.Value:0.000} (at least {m.Low:0.000}, tolerated {m.Threshold:0.##})"),
    };
}
