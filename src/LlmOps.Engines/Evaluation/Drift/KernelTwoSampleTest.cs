using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Engines.SmallModels;

namespace LlmOps.Engines.Evaluation.Drift;

/// <summary>How far two sets of vectors are apart.</summary>
/// <param name="SquaredDistance">Unbiased MMD²: 0 in expectation when both come from one distribution, and then as often below 0 as above.</param>
/// <param name="PValue">Share of the permutations that are as far apart or farther, the observed one counted.</param>
/// <param name="Low">Of the interval of MMD².</param>
/// <param name="High">Of the interval of MMD².</param>
/// <param name="Bandwidth">h of the kernel e^(−‖a−b‖²/h): the median squared distance within both sets together.</param>
public sealed record KernelTwoSampleResult(double SquaredDistance, double PValue, double Low, double High, double Bandwidth);

/// <summary>
/// The kernel two-sample test (Gretton et al. 2012): unbiased MMD² with a Gaussian kernel whose width is the median distance, its p by permuting which set a vector belongs to.
/// The interval is MMD² ± z·s with s² of Hoeffding's first-order term, from what each vector contributes; it is too short where both sets come from one distribution,
/// where that term vanishes, so the p decides that question.
/// </summary>
public static class KernelTwoSampleTest
{
    /// <summary>Tests whether two sets of vectors come from one distribution. Takes (n+m)² kernel values of memory.</summary>
    /// <param name="first">At least two vectors of one length.</param>
    /// <param name="second">At least two vectors of the same length.</param>
    /// <param name="confidence">Of the interval, two-sided.</param>
    /// <param name="permutations">At least 19.</param>
    /// <param name="seed">Of the permutations.</param>
    /// <exception cref="ArgumentException">A set has fewer than two vectors, or lengths differ.</exception>
    public static KernelTwoSampleResult Test(IReadOnlyList<float[]> first, IReadOnlyList<float[]> second, double confidence = 0.95, int permutations = 999, int seed = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(permutations, 19);
        if (first.Count < 2 || second.Count < 2 || first.Concat(second).Any(v => v.Length != first[0].Length))
            throw new ArgumentException("Each set needs at least two vectors, all of one length.");
        float[][] all = [.. first, .. second];
        var (n, m) = (first.Count, second.Count);
        var bandwidth = KernelDistance.Bandwidth(all);
        var kernel = Kernel(all, bandwidth);
        var order = Enumerable.Range(0, n + m).ToArray();
        var observed = SquaredDistance(kernel, order, n);
        var farther = 0;
        Parallel.For(0, permutations, r =>
        {
            var random = new Resampling.Stream(((ulong)(uint)seed << 32) | (uint)r);
            var shuffled = Enumerable.Range(0, n + m).ToArray();
            // Drawing n of all without putting back is a permutation as far as the two sets go.
            for (var i = 0; i < n; i++)
            {
                var j = i + random.Below(n + m - i);
                (shuffled[i], shuffled[j]) = (shuffled[j], shuffled[i]);
            }
            if (SquaredDistance(kernel, shuffled, n) >= observed - 1e-12)
                Interlocked.Increment(ref farther);
        });
        var half = Normal.Quantile((1 + confidence) / 2) * StandardError(kernel, n, m);
        return new(observed, (1.0 + farther) / (permutations + 1), observed - half, observed + half, bandwidth);
    }

    /// <summary>Unbiased MMD² of the first n of an order against the others: means of the kernel within each set, without a vector with itself, less twice the mean between them.</summary>
    private static double SquaredDistance(float[][] kernel, int[] order, int n)
    {
        double within = 0, other = 0, between = 0;
        var m = order.Length - n;
        for (var i = 0; i < order.Length; i++)
        {
            var row = kernel[order[i]];
            for (var j = 0; j < i; j++)
            {
                var value = row[order[j]];
                if (i < n)
                    within += value;
                else if (j >= n)
                    other += value;
                else
                    between += value;
            }
        }
        return 2 * within / ((double)n * (n - 1)) + 2 * other / ((double)m * (m - 1)) - 2 * between / ((double)n * m);
    }

    private static double StandardError(float[][] kernel, int n, int m)
    {
        double[] first = new double[n], second = new double[m];
        for (var i = 0; i < n + m; i++)
        {
            double own = 0, other = 0;
            for (var j = 0; j < n + m; j++)
                if (j != i && (j < n) == (i < n))
                    own += kernel[i][j];
                else if (j != i)
                    other += kernel[i][j];
            if (i < n)
                first[i] = own / (n - 1) - other / m;
            else
                second[i - n] = own / (m - 1) - other / n;
        }
        return 2 * Math.Sqrt(Variance(first) / n + Variance(second) / m);
    }

    private static double Variance(double[] values)
    {
        var mean = values.Average();
        return values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1);
    }

    private static float[][] Kernel(float[][] all, double bandwidth)
    {
        var kernel = all.Select(_ => new float[all.Length]).ToArray();
        Parallel.For(0, all.Length, i =>
        {
            for (var j = 0; j < i; j++)
            {
                double distance = System.Numerics.Tensors.TensorPrimitives.Distance<float>(all[i], all[j]);
                kernel[i][j] = (float)Math.Exp(-distance * distance / bandwidth);
            }
        });
        for (var i = 0; i < all.Length; i++)
            for (var j = i + 1; j < all.Length; j++)
                kernel[i][j] = kernel[j][i];
        return kernel;
    }
}
