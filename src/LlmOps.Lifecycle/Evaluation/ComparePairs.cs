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
    /// <summary>From so many rows on a slice's interval is the normal one: its error is then far below the digits shown.</summary>
    private const int LargeSlice = 2000;

    /// <summary>Places of paired rows in both runs' columns.</summary>
    private sealed record Pairs(ScoredColumns A, ScoredColumns B, int[] RowsA, int[] RowsB, string[]? Clusters)
    {
        public int Count => RowsA.Length;

        public static double[] Column(double[] from, int[] rows)
        {
            var column = new double[rows.Length];
            for (var i = 0; i < column.Length; i++)
                column[i] = from[rows[i]];
            return column;
        }
    }

    /// <summary>Null when fewer than two rows are scored in both, or all of them come from one source: nothing says then how another source would do.</summary>
    public static MetricComparison? Compare(string key, EvaluationTask task, ScoredColumns a, ScoredColumns b, int resamples)
    {
        var (rowsA, rowsB, missing) = ScoredColumns.Pair(a, b);
        if (rowsA.Length < 2)
            return null;
        var clusters = Array.Exists(rowsA, r => a.Clusters[r] is not null) ? Array.ConvertAll(rowsA, r => a.Clusters[r] ?? a.Keys[r]) : null;
        var sources = clusters?.Distinct(StringComparer.Ordinal).Count();
        if (sources < 2)
            return null;
        var pairs = new Pairs(a, b, rowsA, rowsB, clusters);
        var result = Test(task, pairs, (int)Math.Clamp(MostDraws / pairs.Count, FewestResamples, Math.Max(FewestResamples, resamples)));
        var (improved, regressed) = Moves(task, pairs);
        return new(key, task, Value(task, a, rowsA), Value(task, b, rowsB), new(task.FullName, result.Effect, result.Low, result.High, pairs.Count, task.Unit, task.HigherIsBetter), result.PValue, result.PValue,
            improved, regressed, missing, sources, result.Test, (result.High - result.Low) / (2 * Z95) * Math.Sqrt(pairs.Count), Slices(task, pairs));
    }

    private static PairedResult Test(EvaluationTask task, Pairs pairs, int resamples)
    {
        var options = new PairedOptions { Resamples = resamples, Clusters = pairs.Clusters };
        if (CorpusMetrics.Find(task) is { } corpus)
            return PairedComparison.Corpus(Array.ConvertAll(pairs.RowsA, r => CorpusMetrics.Statistics(pairs.A.Details[r])), Array.ConvertAll(pairs.RowsB, r => CorpusMetrics.Statistics(pairs.B.Details[r])), corpus, options);
        var (first, second) = (Pairs.Column(pairs.A.Values, pairs.RowsA), Pairs.Column(pairs.B.Values, pairs.RowsB));
        if (task.IsRatio)
            return PairedComparison.Ratios(first, Pairs.Column(pairs.A.Weights, pairs.RowsA), second, Pairs.Column(pairs.B.Weights, pairs.RowsB), options);
        // A judge may call a row half right; then it is a mean and no share.
        if (task.Quantile is { } level)
            return Quantiles.Compare(first, second, level, options);
        return task.Proportion && Array.TrueForAll(first, IsYesOrNo) && Array.TrueForAll(second, IsYesOrNo) ? PairedComparison.Proportions(first, second, options) : PairedComparison.Means(first, second, options);
    }

    private static bool IsYesOrNo(double value) => value is 0 or 1;

    internal static double Value(EvaluationTask task, ScoredColumns of, int[] rows)
    {
        if (task.Quantile is { } level)
            return Quantiles.Of(Pairs.Column(of.Values, rows), level);
        if (CorpusMetrics.Find(task) is not { } corpus)
        {
            double value = 0, weight = 0;
            foreach (var row in rows)
                (value, weight) = (value + of.Values[row], weight + (task.IsRatio ? of.Weights[row] : 1));
            return value / weight;
        }
        var sums = CorpusMetrics.Statistics(of.Details[rows[0]]).ToArray();
        foreach (var row in rows.Skip(1))
            foreach (var (i, part) in CorpusMetrics.Statistics(of.Details[row]).Index())
                sums[i] += part;
        return corpus(sums);
    }

    private static (int Improved, int Regressed) Moves(EvaluationTask task, Pairs pairs)
    {
        int up = 0, down = 0;
        for (var i = 0; i < pairs.Count; i++)
        {
            var difference = pairs.B.Score(pairs.RowsB[i]) - pairs.A.Score(pairs.RowsA[i]);
            if (difference > 0)
                up++;
            else if (difference < 0)
                down++;
        }
        return task.HigherIsBetter ? (up, down) : (down, up);
    }

    private static List<SliceComparison> Slices(EvaluationTask task, Pairs pairs)
    {
        var groups = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var i = 0; i < pairs.Count; i++)
            if ((pairs.B.Slices[pairs.RowsB[i]] ?? pairs.A.Slices[pairs.RowsA[i]]) is { } slice)
            {
                if (!groups.TryGetValue(slice, out var members))
                    groups[slice] = members = [];
                members.Add(i);
            }
        if (groups.Count < 2)
            return [];
        return [.. groups.Where(g => g.Value.Count > 1).OrderByDescending(g => g.Value.Count).ThenBy(g => g.Key, StringComparer.Ordinal).Take(MostSlices).Select(g =>
        {
            T[] Own<T>(T[] of) => [.. g.Value.Select(i => of[i])];
            var own = new Pairs(pairs.A, pairs.B, Own(pairs.RowsA), Own(pairs.RowsB), pairs.Clusters is null ? null : Own(pairs.Clusters));
            var (a, b) = (Value(task, own.A, own.RowsA), Value(task, own.B, own.RowsB));
            var (improved, regressed) = Moves(task, own);
            var tested = own.Count < LargeSlice || own.Clusters is not null || task.CorpusMetric is not null || task.Quantile is not null || task.Proportion;
            var (effect, low, high, p) = tested && Test(task, own, FewestResamples) is var t ? (t.Effect, t.Low, t.High, t.PValue) : Normal(task, own, a, b);
            return new SliceComparison(g.Key, own.Count, a, b, effect, low, high, p, improved, regressed);
        })];
    }

    /// <summary>Difference ± 1.96 standard errors; a ratio of sums is linearised at itself (delta method).</summary>
    private static (double Effect, double Low, double High, double P) Normal(EvaluationTask task, Pairs pairs, double a, double b)
    {
        var n = pairs.Count;
        double WeightOf(ScoredColumns of, int[] rows) => task.IsRatio ? rows.Sum(r => of.Weights[r]) / n : 1;
        var (meanA, meanB) = (WeightOf(pairs.A, pairs.RowsA), WeightOf(pairs.B, pairs.RowsB));
        double Linear(ScoredColumns of, int row, double value, double mean) => (of.Values[row] - value * (task.IsRatio ? of.Weights[row] : 1)) / mean;
        double squares = 0;
        for (var i = 0; i < n; i++)
        {
            var difference = Linear(pairs.B, pairs.RowsB[i], b, meanB) - Linear(pairs.A, pairs.RowsA[i], a, meanA);
            squares += difference * difference;
        }
        var error = Math.Sqrt(squares / (n - 1) / n);
        var effect = b - a;
        return (effect, effect - Z95 * error, effect + Z95 * error, error > 0 ? Math.Min(1, 2 * NormalLaw.Cumulative(-Math.Abs(effect) / error)) : effect == 0 ? 1 : 0);
    }
}
