using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>The arithmetic of a comparison: two runs' columns in, effects with intervals out. Pure.</summary>
internal static class ComparePairs
{
    /// <summary>Half the width of a 95 % interval, in standard errors.</summary>
    private const double Z95 = 1.959963984540054;
    /// <summary>Rows drawn for one interval. Beyond 10,000 rows fewer resamples give the same digits: the error of a bound falls with the rows as well.</summary>
    private const double MostDraws = 1e8;
    private const int FewestResamples = 1000;
    private const int MostSlices = 60;

    /// <summary>Null when fewer than two rows are scored in both.</summary>
    public static MetricComparison? Compare(string key, EvaluationTask task, ScoredColumns a, ScoredColumns b, int resamples)
    {
        var pairs = new List<(int A, int B)>(Math.Min(a.Count, b.Count));
        int inA = 0, inB = 0, inBoth = 0;
        foreach (var (_, rows) in ScoredColumns.Join([a, b]))
        {
            var (hasA, hasB) = (rows[0] >= 0 && !a.Missing[rows[0]], rows[1] >= 0 && !b.Missing[rows[1]]);
            if (hasA && hasB)
                pairs.Add((rows[0], rows[1]));
            else if (hasB)
                inA++;
            else if (hasA)
                inB++;
            else
                inBoth++;
        }
        if (pairs.Count < 2)
            return null;
        var corpus = CorpusMetrics.Find(task);
        var clusters = pairs.Exists(p => a.Clusters[p.A] is not null) ? pairs.Select(p => a.Clusters[p.A] ?? a.Keys[p.A]).ToArray() : null;
        var result = Test(task, corpus, a, b, pairs, clusters, resamples);
        var (valueA, valueB) = (Value(task, corpus, a, [.. pairs.Select(p => p.A)]), Value(task, corpus, b, [.. pairs.Select(p => p.B)]));
        var (improved, regressed) = Moves(task, a, b, pairs);
        return new(key, task, valueA, valueB, new(task.FullName, result.Effect, result.Low, result.High, pairs.Count, task.Unit, task.HigherIsBetter), result.PValue, result.PValue,
            improved, regressed, new(inA, inB, inBoth), clusters?.Distinct(StringComparer.Ordinal).Count(), result.Test, (result.High - result.Low) / (2 * Z95) * Math.Sqrt(pairs.Count),
            Slices(task, corpus, a, b, pairs, clusters));
    }

    private static PairedResult Test(EvaluationTask task, Func<double[], double>? corpus, ScoredColumns a, ScoredColumns b, List<(int A, int B)> pairs, string[]? clusters, int resamples)
    {
        var options = new PairedOptions { Resamples = (int)Math.Clamp(MostDraws / pairs.Count, FewestResamples, Math.Max(FewestResamples, resamples)), Clusters = clusters };
        double[] Column(double[] from, bool second) => [.. pairs.Select(p => from[second ? p.B : p.A])];
        if (corpus is not null)
            return PairedComparison.Corpus([.. pairs.Select(p => CorpusMetrics.Statistics(a.Details[p.A]))], [.. pairs.Select(p => CorpusMetrics.Statistics(b.Details[p.B]))], corpus, options);
        if (task.IsRatio)
            return PairedComparison.Ratios(Column(a.Values, false), Column(a.Weights, false), Column(b.Values, true), Column(b.Weights, true), options);
        var (first, second) = (Column(a.Values, false), Column(b.Values, true));
        // A judge may call a row half right; then it is a mean and no share.
        return task.Proportion && first.All(IsYesOrNo) && second.All(IsYesOrNo) ? PairedComparison.Proportions(first, second, options) : PairedComparison.Means(first, second, options);
    }

    private static bool IsYesOrNo(double value) => value is 0 or 1;

    private static double Value(EvaluationTask task, Func<double[], double>? corpus, ScoredColumns of, int[] rows)
    {
        if (corpus is null)
            return rows.Sum(r => of.Values[r]) / (task.IsRatio ? rows.Sum(r => of.Weights[r]) : rows.Length);
        var sums = CorpusMetrics.Statistics(of.Details[rows[0]]).ToArray();
        foreach (var row in rows.Skip(1))
            foreach (var (i, part) in CorpusMetrics.Statistics(of.Details[row]).Index())
                sums[i] += part;
        return corpus(sums);
    }

    private static (int Improved, int Regressed) Moves(EvaluationTask task, ScoredColumns a, ScoredColumns b, List<(int A, int B)> pairs)
    {
        int up = 0, down = 0;
        foreach (var (x, y) in pairs)
        {
            var difference = b.Score(y) - a.Score(x);
            if (difference > 0)
                up++;
            else if (difference < 0)
                down++;
        }
        return task.HigherIsBetter ? (up, down) : (down, up);
    }

    private static List<SliceComparison> Slices(EvaluationTask task, Func<double[], double>? corpus, ScoredColumns a, ScoredColumns b, List<(int A, int B)> pairs, string[]? clusters)
    {
        var slices = new List<SliceComparison>();
        var groups = pairs.Index().Where(p => (b.Slices[p.Item.B] ?? a.Slices[p.Item.A]) is not null).GroupBy(p => (b.Slices[p.Item.B] ?? a.Slices[p.Item.A])!, StringComparer.Ordinal).ToList();
        if (groups.Count < 2)
            return slices;
        foreach (var group in groups.Where(g => g.Count() > 1).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Take(MostSlices))
        {
            var own = group.Select(p => p.Item).ToList();
            var result = Test(task, corpus, a, b, own, clusters is null ? null : [.. group.Select(p => clusters[p.Index])], FewestResamples);
            var (improved, regressed) = Moves(task, a, b, own);
            slices.Add(new(group.Key, own.Count, Value(task, corpus, a, [.. own.Select(p => p.A)]), Value(task, corpus, b, [.. own.Select(p => p.B)]), result.Effect, result.Low, result.High, result.PValue, improved, regressed));
        }
        return slices;
    }
}
