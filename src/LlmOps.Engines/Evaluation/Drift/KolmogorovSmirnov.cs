using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Engines.Evaluation.Drift;

/// <summary>The largest distance between two distribution functions.</summary>
/// <param name="Statistic">0 when both are alike, 1 when they do not overlap.</param>
/// <param name="PValue">Of as much or more when both come from one distribution.</param>
/// <param name="Low">Of the interval of the distance.</param>
/// <param name="High">Of the interval of the distance.</param>
public sealed record KolmogorovSmirnovResult(double Statistic, double PValue, double Low, double High);

/// <summary>
/// The two-sample test of Kolmogorov and Smirnov. Its p is that of the limiting distribution 2 Σ (−1)^(k−1) e^(−2k²λ²) at λ = (√e + 0.12 + 0.11/√e)·D with e = nm/(n+m)
/// (Stephens 1970). With many equal values, such as counts of tokens, the true p is at most that: the test errs on the quiet side.
/// </summary>
public static class KolmogorovSmirnov
{
    /// <summary>Largest distance between the distribution functions of two samples; equal values count once.</summary>
    /// <exception cref="ArgumentException">A side is empty or has a value that is not a number.</exception>
    public static double Statistic(double[] a, double[] b)
    {
        if (a.Length == 0 || b.Length == 0 || a.Any(double.IsNaN) || b.Any(double.IsNaN))
            throw new ArgumentException("Both sides need values, all of them numbers.");
        return Sorted([.. a.Order()], [.. b.Order()]);
    }

    /// <summary>Probability of a distance of <paramref name="statistic"/> or more between samples of one distribution.</summary>
    public static double PValue(double statistic, int n, int m)
    {
        var root = Math.Sqrt((double)n * m / (n + m));
        var lambda = (root + 0.12 + 0.11 / root) * statistic;
        // Below, the series converges too slowly to sum, and its value is 1 to six digits.
        if (lambda < 0.2)
            return 1;
        double sum = 0;
        for (var k = 1; k <= 100; k++)
        {
            var term = Math.Exp(-2.0 * k * k * lambda * lambda);
            sum += k % 2 == 1 ? term : -term;
            if (term < 1e-16)
                break;
        }
        return Math.Clamp(2 * sum, 0, 1);
    }

    /// <summary>
    /// The test with an interval of the distance: percentiles of an independent bootstrap of both sides. Noise only ever adds to the distance, once when the values were sampled
    /// and once more in resampling: the upper end is moved down by the second, the lower one by both.
    /// </summary>
    /// <param name="a">Values of the first sample.</param>
    /// <param name="b">Values of the second.</param>
    /// <param name="confidence">Two-sided.</param>
    /// <param name="resamples">At least 100.</param>
    /// <param name="seed">Of the resampling.</param>
    /// <exception cref="ArgumentException">A side is empty or has a value that is not a number.</exception>
    public static KolmogorovSmirnovResult Test(double[] a, double[] b, double confidence = 0.95, int resamples = 1000, int seed = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 100);
        var statistic = Statistic(a, b);
        var replicates = new double[resamples];
        Parallel.For(0, resamples, r =>
        {
            var random = new Resampling.Stream(((ulong)(uint)seed << 32) | (uint)r);
            replicates[r] = Sorted(Drawn(a, ref random), Drawn(b, ref random));
        });
        Array.Sort(replicates);
        double shift = replicates.Average() - statistic, tail = (1 - confidence) / 2;
        return new(statistic, PValue(statistic, a.Length, b.Length), Within(replicates[(int)(tail * (resamples - 1))] - 2 * shift), Within(replicates[(int)Math.Ceiling((1 - tail) * (resamples - 1))] - shift));
    }

    private static double Within(double distance) => Math.Clamp(distance, 0, 1);

    private static double[] Drawn(double[] values, ref Resampling.Stream random)
    {
        var drawn = new double[values.Length];
        for (var i = 0; i < drawn.Length; i++)
            drawn[i] = values[random.Below(values.Length)];
        Array.Sort(drawn);
        return drawn;
    }

    private static double Sorted(double[] a, double[] b)
    {
        var (i, j, largest) = (0, 0, 0.0);
        while (i < a.Length && j < b.Length)
        {
            var value = Math.Min(a[i], b[j]);
            while (i < a.Length && a[i] == value)
                i++;
            while (j < b.Length && b[j] == value)
                j++;
            largest = Math.Max(largest, Math.Abs((double)i / a.Length - (double)j / b.Length));
        }
        return largest;
    }
}
