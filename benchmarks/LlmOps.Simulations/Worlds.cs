using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Simulations;

/// <summary>Worlds whose truth is known, and the product's own way from rows to a verdict: paired comparison, policy, gate.</summary>
internal static class Worlds
{
    public const int Resamples = 1000;

    /// <summary>Two models that answer questions: they differ on a known share of rows, and which of them is right there is a coin with a known bias.</summary>
    public static (double[] A, double[] B) Answers(int n, double discordance, double effect, Random random)
    {
        var (a, b) = (new double[n], new double[n]);
        var gained = (discordance + effect) / 2;
        for (var i = 0; i < n; i++)
        {
            var u = random.NextDouble();
            (a[i], b[i]) = u < gained ? (0, 1) : u < discordance ? (1, 0) : random.NextDouble() < 0.7 ? (1, 1) : (0, 0);
        }
        return (a, b);
    }

    /// <summary>Two models with scores that are skewed, as losses are: a log-normal difficulty that both share, and noise of their own.</summary>
    public static (double[] A, double[] B) Scores(int n, double effect, Random random)
    {
        var (a, b) = (new double[n], new double[n]);
        for (var i = 0; i < n; i++)
        {
            var difficulty = Math.Exp(0.5 * Gaussian(random));
            a[i] = difficulty * (1 + 0.2 * Gaussian(random));
            b[i] = difficulty * (1 + 0.2 * Gaussian(random)) + effect;
        }
        return (a, b);
    }

    /// <summary>Two models measured in bits per byte: texts of very different lengths, a difficulty that both share, and noise of their own.</summary>
    public static (double[] BitsA, double[] BitsB, double[] Bytes) Bits(int n, Random random)
    {
        var (a, b, bytes) = (new double[n], new double[n], new double[n]);
        for (var i = 0; i < n; i++)
        {
            bytes[i] = Math.Ceiling(100 * Math.Exp(0.8 * Gaussian(random)));
            var difficulty = bytes[i] * Math.Exp(0.3 * Gaussian(random));
            (a[i], b[i]) = (difficulty * (1 + 0.1 * Gaussian(random)), difficulty * (1 + 0.1 * Gaussian(random)));
        }
        return (a, b, bytes);
    }

    /// <summary>Two models that answer questions about sources, five about each: what one of them finds in a source helps it with all five.</summary>
    public static (double[] A, double[] B, string[] Sources) Clustered(int sources, Random random)
    {
        const int Each = 5;
        var (a, b, names) = (new double[sources * Each], new double[sources * Each], new string[sources * Each]);
        for (var s = 0; s < sources; s++)
        {
            var (own, other) = (Gaussian(random), Gaussian(random));
            for (var i = s * Each; i < (s + 1) * Each; i++)
                (a[i], b[i], names[i]) = (own + Gaussian(random), other + Gaussian(random), $"source {s}");
        }
        return (a, b, names);
    }

    /// <summary>Standard deviation of the difference of <see cref="Scores"/>: √(2·0.2²·E e^z) with E e^z = √e.</summary>
    public static readonly double ScoresSd = Math.Sqrt(2 * 0.04 * Math.Exp(0.5));

    public static MetricComparison Compare(EvaluationTask task, double[] a, double[] b)
    {
        var options = new PairedOptions { Resamples = Resamples };
        return Of(task, task.Proportion ? PairedComparison.Proportions(a, b, options) : PairedComparison.Means(a, b, options), a.Average(), b.Average());
    }

    public static MetricComparison CompareRatios(EvaluationTask task, double[] a, double[] b, double[] weights) =>
        Of(task, PairedComparison.Ratios(a, weights, b, weights, new PairedOptions { Resamples = Resamples }), a.Sum() / weights.Sum(), b.Sum() / weights.Sum());

    public static MetricComparison CompareClusters(EvaluationTask task, double[] a, double[] b, string[]? sources) =>
        Of(task, PairedComparison.Means(a, b, new PairedOptions { Resamples = Resamples, Clusters = sources }), a.Average(), b.Average());

    private static MetricComparison Of(EvaluationTask task, PairedResult r, double a, double b)
    {
        return new(task.Name, task, a, b, new(task.FullName, r.Effect, r.Low, r.High, r.N, task.Unit, task.HigherIsBetter), r.PValue, r.PValue,
            r.Improved, r.Regressed, new(0, 0, 0), null, r.Test, (r.High - r.Low) / (2 * 1.959964) * Math.Sqrt(r.N), []);
    }

    public static GateOutcome Judge(PolicyDocument policy, int look, params MetricComparison[] compared)
    {
        var byName = compared.ToDictionary(c => c.Task.FullName);
        return PromotionGate.Evaluate(policy, new GateCandidate("candidate", true, 1, [], byName.ToDictionary(p => p.Key, p => p.Value.Difference)) { Compared = byName, Look = look });
    }

    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
