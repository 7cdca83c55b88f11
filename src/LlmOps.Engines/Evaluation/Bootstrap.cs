namespace LlmOps.Engines.Evaluation;

/// <summary>
/// 95 % confidence intervals by resampling items with replacement (Efron and Tibshirani 1993): percentiles of the replicates,
/// with fewer than 100 items corrected for bias and skew (BCa, Efron 1987). The same data and seed always give the same interval.
/// </summary>
/// <remarks>Two models on the same items are compared by resampling the items, never the models apart: what makes an item hard is then shared.</remarks>
public static class Bootstrap
{
    private const int SmallSample = 100;

    /// <summary>Mean of <paramref name="x"/>.</summary>
    /// <param name="x">One value per item.</param>
    /// <param name="b">Number of resamples.</param>
    /// <param name="seed">Seed of the resampling.</param>
    /// <exception cref="ArgumentException">There is no item, a value is not finite, or <paramref name="b"/> is below 1.</exception>
    public static Estimate Mean(double[] x, int b = 10000, int seed = 0) => Sums([x], b, seed, static (s, n) => s[0] / n);

    /// <summary>Σ num / Σ den, for example bits per byte: a document of 200 bytes weighs ten times one of 20.</summary>
    /// <param name="num">Numerator per item.</param>
    /// <param name="den">Denominator per item, positive.</param>
    /// <param name="b">Number of resamples.</param>
    /// <param name="seed">Seed of the resampling.</param>
    /// <exception cref="ArgumentException">As for <see cref="Mean"/>, or a denominator is not positive, or the lengths differ.</exception>
    public static Estimate Ratio(double[] num, double[] den, int b = 10000, int seed = 0)
    {
        RequirePositive(den);
        return Sums([num, den], b, seed, static (s, _) => s[0] / s[1]);
    }

    /// <summary>Mean of a − b over the same items.</summary>
    /// <param name="a">Values of the first model.</param>
    /// <param name="b">Values of the second model, in the same order of items.</param>
    /// <param name="resamples">Number of resamples.</param>
    /// <param name="seed">Seed of the resampling.</param>
    /// <exception cref="ArgumentException">As for <see cref="Mean"/>, or the lengths differ.</exception>
    public static Estimate PairedDifference(double[] a, double[] b, int resamples = 10000, int seed = 0) =>
        Sums([a, b], resamples, seed, static (s, n) => (s[0] - s[1]) / n);

    /// <summary>Σ numA / Σ denA − Σ numB / Σ denB over the same items.</summary>
    /// <param name="numA">Numerators of the first model.</param>
    /// <param name="denA">Denominators of the first model, positive.</param>
    /// <param name="numB">Numerators of the second model, in the same order of items.</param>
    /// <param name="denB">Denominators of the second model, positive.</param>
    /// <param name="b">Number of resamples.</param>
    /// <param name="seed">Seed of the resampling.</param>
    /// <exception cref="ArgumentException">As for <see cref="Ratio"/>.</exception>
    public static Estimate PairedRatioDifference(double[] numA, double[] denA, double[] numB, double[] denB, int b = 10000, int seed = 0)
    {
        RequirePositive(denA);
        RequirePositive(denB);
        return Sums([numA, denA, numB, denB], b, seed, static (s, _) => s[0] / s[1] - s[2] / s[3]);
    }

    /// <summary>Median of <paramref name="x"/>, for latencies; percentiles only, because BCa's jackknife does not work for medians.</summary>
    /// <param name="x">One value per item.</param>
    /// <param name="b">Number of resamples.</param>
    /// <param name="seed">Seed of the resampling.</param>
    /// <exception cref="ArgumentException">As for <see cref="Mean"/>.</exception>
    public static Estimate Median(double[] x, int b = 10000, int seed = 0)
    {
        Check([x], b);
        var random = new SplitMix64(seed);
        var sorted = x.Order().ToArray();
        var counts = new int[x.Length];
        var replicates = new double[b];
        for (var r = 0; r < b; r++)
        {
            // Counting how often each rank is drawn gives the resample in order, without sorting it.
            Array.Clear(counts);
            for (var i = 0; i < counts.Length; i++)
                counts[random.Next(counts.Length)]++;
            replicates[r] = (Ranked(sorted, counts, (x.Length - 1) / 2) + Ranked(sorted, counts, x.Length / 2)) / 2;
        }
        Array.Sort(replicates);
        return new Estimate(Quantile(sorted, 0.5), Quantile(replicates, 0.025), Quantile(replicates, 0.975), x.Length);
    }

    private delegate double Statistic(ReadOnlySpan<double> sums, int n);

    // Every statistic here is a function of column sums, so a replicate costs one pass of additions and the jackknife a subtraction.
    private static Estimate Sums(double[][] columns, int b, int seed, Statistic statistic)
    {
        Check(columns, b);
        var (n, k) = (columns[0].Length, columns.Length);
        var rows = new double[n * k];
        for (var i = 0; i < rows.Length; i++)
            rows[i] = columns[i % k][i / k];
        Span<double> sums = stackalloc double[k];
        for (var c = 0; c < k; c++)
            sums[c] = columns[c].Sum();
        var value = statistic(sums, n);

        var left = n < SmallSample ? Jackknife(rows, sums, n, statistic) : [];
        var random = new SplitMix64(seed);
        var replicates = new double[b];
        for (var r = 0; r < b; r++)
        {
            sums.Clear();
            for (var i = 0; i < n; i++)
            {
                var row = rows.AsSpan(random.Next(n) * k, k);
                for (var c = 0; c < row.Length; c++)
                    sums[c] += row[c];
            }
            replicates[r] = statistic(sums, n);
        }
        Array.Sort(replicates);
        var (low, high) = n < SmallSample ? BcaLevels(replicates, value, left) : (0.025, 0.975);
        return new Estimate(value, Quantile(replicates, low), Quantile(replicates, high), n);
    }

    private static double[] Jackknife(double[] rows, ReadOnlySpan<double> sums, int n, Statistic statistic)
    {
        if (n < 2)
            return [];
        var left = new double[n];
        Span<double> without = stackalloc double[sums.Length];
        for (var i = 0; i < n; i++)
        {
            for (var c = 0; c < sums.Length; c++)
                without[c] = sums[c] - rows[i * sums.Length + c];
            left[i] = statistic(without, n - 1);
        }
        return left;
    }

    private static (double Low, double High) BcaLevels(double[] sorted, double value, double[] left)
    {
        if (left.Length == 0 || sorted[0] == sorted[^1])
            return (0.025, 0.975);
        var below = sorted.Sum(s => s < value ? 1 : s == value ? 0.5 : 0);
        var bias = Normal.Quantile(Math.Clamp(below / sorted.Length, 1.0 / sorted.Length, 1 - 1.0 / sorted.Length));
        var mean = left.Average();
        var squares = left.Sum(l => (mean - l) * (mean - l));
        var acceleration = squares == 0 ? 0 : left.Sum(l => Math.Pow(mean - l, 3)) / (6 * Math.Pow(squares, 1.5));
        return (Level(-Normal.Z95), Level(Normal.Z95));

        double Level(double z) => Normal.Cumulative(bias + (bias + z) / (1 - acceleration * (bias + z)));
    }

    private static double Ranked(double[] sorted, int[] counts, int rank)
    {
        var i = 0;
        for (var seen = counts[0]; seen <= rank; seen += counts[i])
            i++;
        return sorted[i];
    }

    private static double Quantile(double[] sorted, double level)
    {
        var position = level * (sorted.Length - 1);
        var lower = (int)position;
        return lower + 1 < sorted.Length ? sorted[lower] + (position - lower) * (sorted[lower + 1] - sorted[lower]) : sorted[lower];
    }

    private static void RequirePositive(double[] denominators)
    {
        if (denominators.Any(d => !(d > 0)))
            throw new ArgumentException("Every denominator must be positive.");
    }

    private static void Check(double[][] columns, int b)
    {
        if (columns[0].Length == 0)
            throw new ArgumentException("There is no item to resample.");
        if (columns.Any(c => c.Length != columns[0].Length))
            throw new ArgumentException($"The columns have different numbers of items: {string.Join(", ", columns.Select(c => c.Length))}.");
        if (columns.Any(c => c.Any(v => !double.IsFinite(v))))
            throw new ArgumentException("A value is not a finite number.");
        ArgumentOutOfRangeException.ThrowIfLessThan(b, 1);
    }

    /// <summary>Steele, Lea and Flood 2014: fast, and the same numbers on every version of .NET.</summary>
    private struct SplitMix64(int seed)
    {
        private ulong state = (ulong)seed;

        public int Next(int n)
        {
            var z = state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return (int)(((z ^ (z >> 31)) >> 32) * (ulong)n >> 32);
        }
    }
}
