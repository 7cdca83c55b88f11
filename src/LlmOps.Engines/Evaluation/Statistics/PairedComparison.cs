namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>
/// Two models on the same items. Always paired: what makes an item hard is shared, and only the differences carry information.
/// Every result is second minus first.
/// </summary>
public static class PairedComparison
{
    /// <summary>Difference of means: BCa bootstrap interval over items (or clusters) and the sign-flip permutation test.</summary>
    /// <param name="a">Values of the first model, one for each item.</param>
    /// <param name="b">Values of the second model, in the same order.</param>
    /// <param name="options">Confidence, resamples, seed, clusters; null for the defaults.</param>
    /// <exception cref="ArgumentException">There is no item, lengths differ, or a value is not finite.</exception>
    public static PairedResult Means(double[] a, double[] b, PairedOptions? options = null)
    {
        options = Checked(options, a, b);
        var columns = Resampling.Clustered([Differences(a, b)], options.Clusters);
        var (value, low, high) = Resampling.Interval(columns, static s => s[0] / s[1], options.Confidence, options.Resamples, options.Seed);
        return Result(value, low, high, SignFlip.PValue(columns[0], options.Resamples, options.Seed), a, b, "BCa bootstrap; sign-flip permutation", options);
    }

    /// <summary>
    /// Difference of shares of items that are 0 or 1: Tango's score interval (1998), which keeps its coverage for few discordant items, and McNemar's
    /// mid-p. Items that share clusters are compared as means over clusters instead.
    /// </summary>
    /// <param name="a">0 or 1 for each item, first model.</param>
    /// <param name="b">0 or 1 for each item, second model.</param>
    /// <param name="options">Confidence, clusters; null for the defaults.</param>
    /// <exception cref="ArgumentException">As for <see cref="Means"/>, or a value is neither 0 nor 1.</exception>
    public static PairedResult Proportions(double[] a, double[] b, PairedOptions? options = null)
    {
        options = Checked(options, a, b);
        if (a.Concat(b).FirstOrDefault(v => v is not (0 or 1), -1) is not -1 and var odd)
            throw new ArgumentException($"{odd} is neither 0 nor 1.");
        if (options.Clusters is not null)
            return Means(a, b, options);
        var (gained, lost) = (0, 0);
        for (var i = 0; i < a.Length; i++)
        {
            if (b[i] > a[i])
                gained++;
            else if (b[i] < a[i])
                lost++;
        }
        var (low, high) = TangoInterval.Of(gained, lost, a.Length, options.Confidence);
        return Result((gained - lost) / (double)a.Length, low, high, McNemar.MidP(gained, lost), a, b, "Tango score interval; McNemar mid-p", options);
    }

    /// <summary>
    /// Difference of two ratios of sums, bits per byte for example. The test flips, item by item, which model an item's values belong to, in the
    /// linearised difference (numerator − ratio · weight) ÷ mean weight.
    /// </summary>
    /// <param name="valuesA">Numerators of the first model.</param>
    /// <param name="weightsA">Denominators of the first model, positive.</param>
    /// <param name="valuesB">Numerators of the second model.</param>
    /// <param name="weightsB">Denominators of the second model, positive.</param>
    /// <param name="options">Confidence, resamples, seed, clusters; null for the defaults.</param>
    /// <exception cref="ArgumentException">As for <see cref="Means"/>, or a denominator is not positive.</exception>
    public static PairedResult Ratios(double[] valuesA, double[] weightsA, double[] valuesB, double[] weightsB, PairedOptions? options = null)
    {
        options = Checked(options, valuesA, valuesB, weightsA, weightsB);
        if (weightsA.Concat(weightsB).Any(w => w <= 0))
            throw new ArgumentException("Every denominator must be positive.");
        var columns = Resampling.Clustered([valuesA, weightsA, valuesB, weightsB], options.Clusters);
        var (value, low, high) = Resampling.Interval(columns, static s => s[2] / s[3] - s[0] / s[1], options.Confidence, options.Resamples, options.Seed);
        double ratioA = valuesA.Sum() / weightsA.Sum(), ratioB = valuesB.Sum() / weightsB.Sum(), pooled = (valuesA.Sum() + valuesB.Sum()) / (weightsA.Sum() + weightsB.Sum());
        var (meanA, meanB) = (columns[1].Average(), columns[3].Average());
        var linear = new double[columns[0].Length];
        for (var i = 0; i < linear.Length; i++)
            linear[i] = (columns[2][i] - pooled * columns[3][i]) / meanB - (columns[0][i] - pooled * columns[1][i]) / meanA;
        var perItem = (Func<double[], double[], double[]>)((v, w) => [.. v.Select((x, i) => x / w[i])]);
        return Result(ratioB - ratioA, low, high, SignFlip.PValue(linear, options.Resamples, options.Seed), perItem(valuesA, weightsA), perItem(valuesB, weightsB),
            "BCa bootstrap of the ratio; sign-flip permutation", options);
    }

    /// <summary>
    /// Difference of a corpus metric that is a function of summed statistics (BLEU, chrF): the sums are recomputed in each resample, and the
    /// permutation test swaps which model an item's statistics belong to.
    /// </summary>
    /// <param name="a">For each item the statistics of the first model, all of one length.</param>
    /// <param name="b">For each item the statistics of the second model.</param>
    /// <param name="metric">The metric of the summed statistics.</param>
    /// <param name="options">Confidence, resamples, seed, clusters; null for the defaults.</param>
    /// <exception cref="ArgumentException">There is no item, or the items' statistics differ in length.</exception>
    public static PairedResult Corpus(double[][] a, double[][] b, Func<double[], double> metric, PairedOptions? options = null)
    {
        if (a.Length == 0 || a.Length != b.Length)
            throw new ArgumentException($"{a.Length} and {b.Length} items cannot be paired.");
        var k = a[0].Length;
        if (a.Concat(b).Any(s => s.Length != k))
            throw new ArgumentException("The items have different numbers of statistics.");
        var flat = Enumerable.Range(0, 2 * k).Select(c => (c < k ? a : b).Select(s => s[c % k]).ToArray()).ToArray();
        options = Checked(options, flat);
        var columns = Resampling.Clustered(flat, options.Clusters)[..^1];
        var (value, low, high) = Resampling.Interval(columns, s => metric(s[k..].ToArray()) - metric(s[..k].ToArray()), options.Confidence, options.Resamples, options.Seed);
        var (alone, other) = (a.Select(metric).ToArray(), b.Select(metric).ToArray());
        return Result(value, low, high, Swapped(columns, k, metric, Math.Abs(value), options), alone, other, "BCa bootstrap of the corpus metric; approximate randomisation", options);
    }

    private static double Swapped(double[][] columns, int k, Func<double[], double> metric, double seen, PairedOptions options)
    {
        var hits = 0;
        Parallel.For(0, options.Resamples, r =>
        {
            var random = new Resampling.Stream(((ulong)(uint)options.Seed << 32) | (uint)r);
            var (first, second) = (new double[k], new double[k]);
            for (var i = 0; i < columns[0].Length; i++)
            {
                var swap = (random.Next() >> 63) == 1 ? k : 0;
                for (var c = 0; c < k; c++)
                {
                    first[c] += columns[(c + swap) % (2 * k)][i];
                    second[c] += columns[(c + k + swap) % (2 * k)][i];
                }
            }
            if (Math.Abs(metric(second) - metric(first)) >= seen * (1 - 1e-12))
                Interlocked.Increment(ref hits);
        });
        return (1.0 + hits) / (options.Resamples + 1);
    }

    private static PairedResult Result(double value, double low, double high, double p, double[] a, double[] b, string test, PairedOptions options)
    {
        var (up, down) = (0, 0);
        for (var i = 0; i < a.Length; i++)
        {
            if (b[i] > a[i])
                up++;
            else if (b[i] < a[i])
                down++;
        }
        return new(value, low, high, p, a.Length, up, down, a.Length - up - down, options.Clusters is null ? test : $"{test}, over clusters");
    }

    private static double[] Differences(double[] a, double[] b) => [.. a.Select((v, i) => b[i] - v)];

    private static PairedOptions Checked(PairedOptions? options, params double[][] columns)
    {
        options ??= new();
        if (columns[0].Length == 0)
            throw new ArgumentException("There is no item to compare.");
        if (columns.Any(c => c.Length != columns[0].Length))
            throw new ArgumentException($"The columns have different numbers of items: {string.Join(", ", columns.Select(c => c.Length))}.");
        if (columns.Any(c => c.Any(v => !double.IsFinite(v))))
            throw new ArgumentException("A value is not a finite number. Leave missing items out; they have no value.");
        if (options.Confidence is not (>= 0.5 and <= 0.9999))
            throw new ArgumentException($"A confidence of {options.Confidence} is outside 0.5 to 0.9999.");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Resamples, 100);
        return options;
    }
}
