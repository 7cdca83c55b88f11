namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>A number computed from column sums: a mean is sum ÷ count, bits per byte are bits ÷ bytes, BLEU is a function of matched and possible n-grams.</summary>
/// <param name="sums">One sum for each column.</param>
internal delegate double SumStatistic(ReadOnlySpan<double> sums);

/// <summary>Bootstrap intervals, corrected for bias and skew (BCa, Efron 1987), of anything that depends on its items through sums.</summary>
internal static class Resampling
{
    /// <summary>The statistic and its interval.</summary>
    /// <param name="columns">k columns of n items; with clusters already summed, an item is a cluster.</param>
    /// <param name="statistic">Of the k sums.</param>
    /// <param name="confidence">Two-sided.</param>
    /// <param name="resamples">Number of replicates.</param>
    /// <param name="seed">Of the resampling.</param>
    public static (double Value, double Low, double High) Interval(double[][] columns, SumStatistic statistic, double confidence, int resamples, int seed)
    {
        int n = columns[0].Length, k = columns.Length;
        var totals = columns.Select(c => c.Sum()).ToArray();
        var value = statistic(totals);
        if (n < 2)
            return (value, value, value);
        var sums = n >= WeightedReplicates.FromItems ? WeightedReplicates.Sums(columns, resamples, seed) : Drawn(columns, resamples, seed);
        var replicates = new double[resamples];
        for (var r = 0; r < resamples; r++)
            replicates[r] = statistic(sums.AsSpan(r * k, k));
        Array.Sort(replicates);
        var (low, high) = Levels(replicates, value, Acceleration(columns, totals, statistic), confidence);
        return (value, Quantile(replicates, low), Quantile(replicates, high));
    }

    /// <summary>Sums of each column within each cluster, with the number of items as a last column.</summary>
    /// <param name="columns">Columns of items.</param>
    /// <param name="clusters">Cluster of each item, or null: then each item is its own.</param>
    public static double[][] Clustered(double[][] columns, string[]? clusters)
    {
        var n = columns[0].Length;
        if (clusters is null)
            return [.. columns, [.. Enumerable.Repeat(1.0, n)]];
        if (clusters.Length != n)
            throw new ArgumentException($"{clusters.Length} clusters are named for {n} items.");
        var index = new Dictionary<string, int>(StringComparer.Ordinal);
        var of = clusters.Select(c => index.TryGetValue(c, out var i) ? i : index[c] = index.Count).ToArray();
        var summed = Enumerable.Range(0, columns.Length + 1).Select(_ => new double[index.Count]).ToArray();
        for (var i = 0; i < n; i++)
        {
            for (var c = 0; c < columns.Length; c++)
                summed[c][of[i]] += columns[c][i];
            summed[^1][of[i]]++;
        }
        return summed;
    }

    private static double[] Drawn(double[][] columns, int resamples, int seed)
    {
        int n = columns[0].Length, k = columns.Length;
        var sums = new double[resamples * k];
        Parallel.For(0, resamples, r =>
        {
            var random = new Stream(((ulong)(uint)seed << 32) | (uint)r);
            for (var i = 0; i < n; i++)
            {
                var drawn = random.Below(n);
                for (var c = 0; c < k; c++)
                    sums[r * k + c] += columns[c][drawn];
            }
        });
        return sums;
    }

    private static double Acceleration(double[][] columns, double[] totals, SumStatistic statistic)
    {
        int n = columns[0].Length, k = columns.Length;
        var left = new double[n];
        Span<double> without = stackalloc double[k];
        for (var i = 0; i < n; i++)
        {
            for (var c = 0; c < k; c++)
                without[c] = totals[c] - columns[c][i];
            left[i] = statistic(without);
        }
        var mean = left.Average();
        double squares = 0, cubes = 0;
        foreach (var l in left)
        {
            squares += (mean - l) * (mean - l);
            cubes += (mean - l) * (mean - l) * (mean - l);
        }
        var acceleration = cubes / (6 * Math.Pow(squares, 1.5));
        return double.IsFinite(acceleration) ? acceleration : 0;
    }

    private static (double Low, double High) Levels(double[] sorted, double value, double acceleration, double confidence)
    {
        var z = Normal.Quantile((1 + confidence) / 2);
        if (sorted[0] == sorted[^1])
            return ((1 - confidence) / 2, (1 + confidence) / 2);
        var below = sorted.Sum(s => s < value ? 1 : s == value ? 0.5 : 0);
        var bias = Normal.Quantile(Math.Clamp(below / sorted.Length, 1.0 / sorted.Length, 1 - 1.0 / sorted.Length));
        return (Level(-z), Level(z));

        double Level(double at) => Normal.Cumulative(bias + (bias + at) / (1 - acceleration * (bias + at)));
    }

    private static double Quantile(double[] sorted, double level)
    {
        var position = level * (sorted.Length - 1);
        var lower = (int)position;
        return lower + 1 < sorted.Length ? sorted[lower] + (position - lower) * (sorted[lower + 1] - sorted[lower]) : sorted[lower];
    }

    /// <summary>SplitMix64 (Steele, Lea and Flood 2014): the same numbers on every version of .NET.</summary>
    internal struct Stream(ulong seed)
    {
        // Neighbouring seeds are far apart after one multiplication.
        private ulong state = seed * 0xD1342543DE82EF95;

        public ulong Next()
        {
            var z = state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }

        public int Below(int n) => (int)((Next() >> 32) * (ulong)n >> 32);
    }
}
