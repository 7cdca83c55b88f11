using System.Text.Json;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Evaluation.Generation;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>What a row of a corpus metric keeps in its detail.</summary>
public sealed record RowStatistics(double[] Statistics);

/// <summary>Metrics that are no mean of rows: each row keeps sufficient statistics, and the metric is computed from their sums.</summary>
internal static class CorpusMetrics
{
    private const int MostResamples = 1000;

    private static readonly IReadOnlyDictionary<string, Func<double[], double>> Known = new Dictionary<string, Func<double[], double>>
    {
        ["bleu"] = s => Bleu.Score(BleuStatistics.FromVector(s)).Value,
        ["chrf"] = s => Chrf.Score(s),
        ["macro_f1"] = MacroF1,
        ["r2"] = s => 1 - s[0] / (s[3] - s[2] * s[2] / s[1]), ["rmse"] = s => Math.Sqrt(s[0] / s[1]),
        ["word_perplexity"] = Perplexity, ["byte_perplexity"] = Perplexity, ["perplexity"] = Perplexity,
    };

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

    /// <summary>The metric of all rows, and the middle 95 % of what it is on rows drawn again.</summary>
    public static Estimate Summarise(EvaluationTask task, IReadOnlyList<RowScore> rows, int resamples)
    {
        var (stats, value) = (rows.Select(r => Statistics(r.DetailJson)).ToArray(), Find(task)!);
        var (random, draws, sum) = (new Random(17), new double[Math.Min(resamples, MostResamples)], new double[stats[0].Length]);
        for (var b = 0; b < draws.Length; b++)
        {
            Array.Clear(sum);
            for (var i = 0; i < stats.Length; i++)
                Add(sum, stats[random.Next(stats.Length)]);
            draws[b] = value(sum);
        }
        Array.Sort(draws);
        Array.Clear(sum);
        foreach (var row in stats)
            Add(sum, row);
        return new Estimate(value(sum), draws[(int)(0.025 * (draws.Length - 1))], draws[(int)Math.Ceiling(0.975 * (draws.Length - 1))], rows.Count);
    }

    private static double Perplexity(double[] s) => Math.Exp(s[0] / s[1]);

    /// <summary>For each label: right, predicted, wanted. Mean over the labels that occur of 2·right ÷ (predicted + wanted).</summary>
    private static double MacroF1(double[] s)
    {
        var (total, labels) = (0.0, 0);
        for (var i = 0; i < s.Length; i += 3)
            if (s[i + 1] + s[i + 2] > 0)
                (total, labels) = (total + 2 * s[i] / (s[i + 1] + s[i + 2]), labels + 1);
        return labels == 0 ? 0 : total / labels;
    }

    private static void Add(double[] sum, double[] row)
    {
        for (var i = 0; i < sum.Length; i++)
            sum[i] += row[i];
    }
}
