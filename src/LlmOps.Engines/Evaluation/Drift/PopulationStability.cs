using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Engines.Evaluation.Drift;

/// <summary>
/// Population stability index: Σ (q − p) · ln(q / p) over bins with the shares p of a baseline and q of a window, which is the symmetric Kullback–Leibler divergence
/// (Jeffreys 1946) of the binned values. 0 when both are alike; usually 0.1 is called some shift and 0.25 much.
/// </summary>
/// <remarks>Two samples of one distribution have an index above 0: about (bins − 1)(1/n + 1/m), which <see cref="Expected"/> gives.</remarks>
public static class PopulationStability
{
    /// <summary>What an empty bin is counted as, as a share of one item, so that the logarithm is finite.</summary>
    private const double EmptyCount = 0.5;

    /// <summary>The index of counts in the same bins.</summary>
    /// <param name="baseline">Items of the baseline in each bin.</param>
    /// <param name="window">Items of the window in each bin.</param>
    /// <returns>In nats, 0 or more.</returns>
    /// <exception cref="ArgumentException">The numbers of bins differ, or a side has no items.</exception>
    public static double Of(IReadOnlyList<int> baseline, IReadOnlyList<int> window)
    {
        double n = baseline.Sum(), m = window.Sum();
        if (baseline.Count != window.Count || n <= 0 || m <= 0)
            throw new ArgumentException("Both sides need the same bins and at least one item.");
        double index = 0;
        for (var i = 0; i < baseline.Count; i++)
        {
            if (baseline[i] == 0 && window[i] == 0)
                continue;
            var (p, q) = (Math.Max(baseline[i], EmptyCount) / n, Math.Max(window[i], EmptyCount) / m);
            index += (q - p) * Math.Log(q / p);
        }
        return index;
    }

    /// <summary>What the index is on average when nothing changed: (bins − 1)(1/n + 1/m).</summary>
    public static double Expected(int bins, int n, int m) => (bins - 1) * (1.0 / n + 1.0 / m);

    /// <summary>Upper ends of bins that hold about the same number of baseline items each; the last bin has none. Equal values fall into one bin, so there may be fewer.</summary>
    /// <param name="baseline">Values, at least one, finite.</param>
    /// <param name="bins">At most so many.</param>
    /// <exception cref="ArgumentException">There is no value, one is not finite, or there are fewer than 2 bins.</exception>
    public static double[] Edges(double[] baseline, int bins = 10)
    {
        if (bins < 2)
            throw new ArgumentException($"{bins} bins cannot show a shift.");
        // A bin ends at a value that was seen, so that a value in many items is one bin and not a border between two.
        var sorted = baseline.Order().ToArray();
        if (sorted.Length == 0 || !double.IsFinite(sorted[0]) || !double.IsFinite(sorted[^1]))
            throw new ArgumentException("Bins need values, all of them finite.");
        return [.. Enumerable.Range(1, bins - 1).Select(i => sorted[Math.Max(0, (int)Math.Ceiling((double)i * sorted.Length / bins) - 1)]).Distinct().Where(e => e < sorted[^1])];
    }

    /// <summary>Items in each bin: values up to an edge, beginning above the one before; the last bin has what is above all.</summary>
    public static int[] Count(double[] values, double[] edges)
    {
        var counts = new int[edges.Length + 1];
        foreach (var value in values)
        {
            var at = Array.BinarySearch(edges, value);
            counts[at >= 0 ? at : ~at]++;
        }
        return counts;
    }

    /// <summary>
    /// The index of values in bins of the baseline, with an interval: percentiles of an independent bootstrap of both sides. Noise only ever adds to the index, once when the
    /// values were sampled and once more in resampling: the upper end is moved down by the second, the lower one by both, so that few items are not taken for a shift.
    /// </summary>
    /// <param name="baseline">Values of the baseline.</param>
    /// <param name="window">Values of the window.</param>
    /// <param name="bins">At most so many bins.</param>
    /// <param name="confidence">Two-sided.</param>
    /// <param name="resamples">At least 100.</param>
    /// <param name="seed">Of the resampling.</param>
    /// <exception cref="ArgumentException">A side has no values, or one is not finite.</exception>
    public static Estimate Interval(double[] baseline, double[] window, int bins = 10, double confidence = 0.95, int resamples = 1000, int seed = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 100);
        var edges = Edges(baseline, bins);
        int[] first = Count(baseline, edges), second = Count(window, edges);
        var value = Of(first, second);
        var (sides, replicates) = ((Of: Ranks(first), In: Ranks(second)), new double[resamples]);
        Parallel.For(0, resamples, r =>
        {
            var random = new Resampling.Stream(((ulong)(uint)seed << 32) | (uint)r);
            replicates[r] = Of(Drawn(sides.Of, first.Length, ref random), Drawn(sides.In, first.Length, ref random));
        });
        Array.Sort(replicates);
        var shift = replicates.Average() - value;
        var tail = (1 - confidence) / 2;
        return new(value, Math.Max(0, At(replicates, tail) - 2 * shift), Math.Max(0, At(replicates, 1 - tail) - shift), baseline.Length + window.Length);
    }

    private static int[] Ranks(int[] counts) => [.. counts.SelectMany((count, bin) => Enumerable.Repeat(bin, count))];

    private static int[] Drawn(int[] items, int bins, ref Resampling.Stream random)
    {
        var counts = new int[bins];
        for (var i = 0; i < items.Length; i++)
            counts[items[random.Below(items.Length)]]++;
        return counts;
    }

    private static double At(double[] sorted, double level) => sorted[Math.Clamp((int)Math.Round(level * (sorted.Length - 1)), 0, sorted.Length - 1)];
}
