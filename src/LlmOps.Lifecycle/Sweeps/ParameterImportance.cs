using LlmOps.Lifecycle.Sweeps.Search;

namespace LlmOps.Lifecycle.Sweeps;

/// <summary>How far a parameter and the result go together.</summary>
/// <param name="Correlation">Spearman's rank correlation, -1 … 1; for values without an order the correlation ratio of the ranks, 0 … 1. Null when nothing can be said.</param>
/// <param name="HasDirection">Whether the sign means something.</param>
/// <param name="Trials">Trials it was computed from.</param>
/// <param name="Chance">How often a random assignment of the results shows at least as much: of 2,000 permutations.</param>
public sealed record ParameterImportance(string Name, double? Correlation, bool HasDirection, int Trials, double? Chance)
{
    /// <summary>With fewer trials no permutation is rare.</summary>
    public const int FewestTrials = 6;
    private const int Permutations = 2000;

    public bool IsClear => Chance is { } p && p < 0.05;

    /// <summary>For each dimension, the strongest first.</summary>
    /// <param name="trials">Trials that succeeded, all with the same budget.</param>
    public static IReadOnlyList<ParameterImportance> Of(SearchSpace space, IReadOnlyList<(IReadOnlyList<string> Point, double Value)> trials, int seed)
    {
        var results = Ranks([.. trials.Select(t => t.Value)]);
        return [.. space.Dimensions.Select((d, i) => Of(d, [.. trials.Select(t => t.Point[i])], results, seed)).OrderByDescending(p => Math.Abs(p.Correlation ?? 0))];
    }

    private static ParameterImportance Of(SearchDimension dimension, string[] values, double[] results, int seed)
    {
        var numeric = dimension is RangeDimension || ((ChoiceDimension)dimension).Values.All(v => double.TryParse(v, System.Globalization.CultureInfo.InvariantCulture, out _));
        if (values.Length < FewestTrials || values.Distinct().Count() < 2 || results.Distinct().Count() < 2)
            return new(dimension.Name, null, numeric, values.Length, null);
        Func<double[], double> measure = numeric ? Against(Ranks([.. values.Select(SearchDimension.Number)])) : y => Ratio(values, y);
        var found = measure(results);
        var shuffled = (double[])results.Clone();
        var random = new SearchRandom(seed, values.Length);
        var atLeast = 0;
        for (var i = 0; i < Permutations; i++)
        {
            for (var j = shuffled.Length - 1; j > 0; j--)
            {
                var k = random.Below(j + 1);
                (shuffled[j], shuffled[k]) = (shuffled[k], shuffled[j]);
            }
            // A hair's breadth below counts as equal: the sums are the same numbers in another order.
            if (Math.Abs(measure(shuffled)) >= Math.Abs(found) - 1e-9)
                atLeast++;
        }
        return new(dimension.Name, found, numeric, values.Length, (atLeast + 1.0) / (Permutations + 1));
    }

    private static Func<double[], double> Against(double[] x) => y => Pearson(x, y);

    /// <summary>Ranks from 1; equal values share the mean of theirs.</summary>
    public static double[] Ranks(double[] values)
    {
        var order = Enumerable.Range(0, values.Length).OrderBy(i => values[i]).ToArray();
        var ranks = new double[values.Length];
        for (var i = 0; i < order.Length;)
        {
            var end = i;
            while (end < order.Length && values[order[end]] == values[order[i]])
                end++;
            for (var j = i; j < end; j++)
                ranks[order[j]] = (i + 1 + end) / 2.0;
            i = end;
        }
        return ranks;
    }

    private static double Pearson(double[] x, double[] y)
    {
        double mx = x.Average(), my = y.Average(), xy = 0, xx = 0, yy = 0;
        for (var i = 0; i < x.Length; i++)
            (xy, xx, yy) = (xy + (x[i] - mx) * (y[i] - my), xx + (x[i] - mx) * (x[i] - mx), yy + (y[i] - my) * (y[i] - my));
        return xy / Math.Sqrt(xx * yy);
    }

    /// <summary>Square root of the share of the ranks' variance that lies between the groups.</summary>
    private static double Ratio(string[] groups, double[] y)
    {
        var mean = y.Average();
        var total = y.Sum(v => (v - mean) * (v - mean));
        var between = groups.Zip(y).GroupBy(p => p.First, p => p.Second).Sum(g => g.Count() * Math.Pow(g.Average() - mean, 2));
        return Math.Sqrt(between / total);
    }
}
