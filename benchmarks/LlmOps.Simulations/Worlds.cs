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

    /// <summary>Standard deviation of the difference of <see cref="Scores"/>: √(2·0.2²·E e^z) with E e^z = √e.</summary>
    public static readonly double ScoresSd = Math.Sqrt(2 * 0.04 * Math.Exp(0.5));

    public static MetricComparison Compare(EvaluationTask task, double[] a, double[] b)
    {
        var options = new PairedOptions { Resamples = Resamples };
        var r = task.Proportion ? PairedComparison.Proportions(a, b, options) : PairedComparison.Means(a, b, options);
        return new(task.Name, task, a.Average(), b.Average(), new(task.FullName, r.Effect, r.Low, r.High, r.N, task.Unit, true), r.PValue, r.PValue,
            r.Improved, r.Regressed, new(0, 0, 0), null, r.Test, (r.High - r.Low) / (2 * 1.959964) * Math.Sqrt(r.N), []);
    }

    public static GateOutcome Judge(PolicyDocument policy, int look, params MetricComparison[] compared)
    {
        var byName = compared.ToDictionary(c => c.Task.FullName);
        return PromotionGate.Evaluate(policy, new GateCandidate("candidate", true, 1, [], byName.ToDictionary(p => p.Key, p => p.Value.Difference)) { Compared = byName, Look = look });
    }

    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
