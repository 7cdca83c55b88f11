namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>
/// Quantiles over items, such as the 95th percentile of latencies: the value at the place level · (n − 1) of the sorted items, between two items in proportion (Hyndman and
/// Fan's type 7, which NumPy and R take). Intervals are percentiles of resamples, because BCa's jackknife does not work for quantiles.
/// </summary>
/// <remarks>A tail needs rows: the 95th percentile of 20 items is nearly their maximum, and its interval says little.</remarks>
public static class Quantiles
{
    /// <summary>The quantile.</summary>
    /// <param name="values">At least one item.</param>
    /// <param name="level">0 is the smallest item, 1 the largest.</param>
    /// <exception cref="ArgumentException">There is no item, one is not finite, or the level is outside 0 to 1.</exception>
    public static double Of(double[] values, double level)
    {
        Check(values, level);
        return Sorted([.. values], level);
    }

    /// <summary>The quantile with its 95 % interval.</summary>
    /// <param name="values">At least one item.</param>
    /// <param name="level">0 is the smallest item, 1 the largest.</param>
    /// <param name="resamples">Number of resamples.</param>
    /// <param name="seed">Of the resampling.</param>
    /// <exception cref="ArgumentException">There is no item, one is not finite, or the level is outside 0 to 1.</exception>
    public static Estimate Interval(double[] values, double level, int resamples = 10_000, int seed = 0)
    {
        Check(values, level);
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 100);
        var replicates = new double[resamples];
        Parallel.For(0, resamples, r =>
        {
            var random = new Resampling.Stream(((ulong)(uint)seed << 32) | (uint)r);
            var drawn = new double[values.Length];
            for (var i = 0; i < drawn.Length; i++)
                drawn[i] = values[random.Below(values.Length)];
            replicates[r] = Sorted(drawn, level);
        });
        Array.Sort(replicates);
        return new(Of(values, level), At(replicates, 0.025), At(replicates, 0.975), values.Length);
    }

    /// <summary>Difference of the quantiles of two models on the same items: percentile bootstrap over items (or clusters), and a permutation test that swaps which model an item's values belong to.</summary>
    /// <param name="a">Values of the first model.</param>
    /// <param name="b">Values of the second model, in the same order.</param>
    /// <param name="level">As for <see cref="Of"/>.</param>
    /// <param name="options">Confidence, resamples, seed, clusters; null for the defaults.</param>
    /// <exception cref="ArgumentException">There is no item, lengths differ, a value is not finite, or the level is outside 0 to 1.</exception>
    public static PairedResult Compare(double[] a, double[] b, double level, PairedOptions? options = null)
    {
        Check(a, level);
        Check(b, level);
        if (a.Length != b.Length)
            throw new ArgumentException($"{a.Length} and {b.Length} items cannot be paired.");
        options ??= new();
        var groups = Groups(a.Length, options.Clusters);
        var effect = Of(b, level) - Of(a, level);
        var (replicates, hits) = (new double[options.Resamples], 0);
        Parallel.For(0, options.Resamples, r =>
        {
            var random = new Resampling.Stream(((ulong)(uint)options.Seed << 32) | (uint)r);
            List<double> first = new(a.Length), second = new(a.Length);
            for (var g = 0; g < groups.Length; g++)
                foreach (var i in groups[random.Below(groups.Length)])
                {
                    first.Add(a[i]);
                    second.Add(b[i]);
                }
            replicates[r] = Sorted([.. second], level) - Sorted([.. first], level);
            first.Clear();
            second.Clear();
            foreach (var group in groups)
            {
                var swap = random.Next() >> 63 == 1;
                foreach (var i in group)
                {
                    first.Add(swap ? b[i] : a[i]);
                    second.Add(swap ? a[i] : b[i]);
                }
            }
            if (Math.Abs(Sorted([.. second], level) - Sorted([.. first], level)) >= Math.Abs(effect) * (1 - 1e-12))
                Interlocked.Increment(ref hits);
        });
        Array.Sort(replicates);
        var tail = (1 - options.Confidence) / 2;
        int up = a.Where((v, i) => b[i] > v).Count(), down = a.Where((v, i) => b[i] < v).Count();
        const string test = "percentile bootstrap of the quantile; permutation";
        return new(effect, At(replicates, tail), At(replicates, 1 - tail), (1.0 + hits) / (options.Resamples + 1), a.Length, up, down, a.Length - up - down, options.Clusters is null ? test : $"{test}, over clusters");
    }

    private static int[][] Groups(int n, string[]? clusters)
    {
        if (clusters is null)
            return [.. Enumerable.Range(0, n).Select(i => new[] { i })];
        return clusters.Length == n ? [.. Enumerable.Range(0, n).GroupBy(i => clusters[i], StringComparer.Ordinal).Select(g => g.ToArray())]
            : throw new ArgumentException($"{clusters.Length} clusters are named for {n} items.");
    }

    private static double Sorted(double[] values, double level)
    {
        Array.Sort(values);
        return At(values, level);
    }

    private static double At(double[] sorted, double level)
    {
        var position = level * (sorted.Length - 1);
        var lower = (int)position;
        return lower + 1 < sorted.Length ? sorted[lower] + (position - lower) * (sorted[lower + 1] - sorted[lower]) : sorted[lower];
    }

    private static void Check(double[] values, double level)
    {
        if (values.Length == 0 || values.Any(v => !double.IsFinite(v)))
            throw new ArgumentException("A quantile needs items, all of them finite.");
        if (level is not (>= 0 and <= 1))
            throw new ArgumentException($"A level of {level} is outside 0 to 1.");
    }
}
