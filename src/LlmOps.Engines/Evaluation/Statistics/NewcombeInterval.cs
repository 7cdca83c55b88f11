namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>
/// Interval of the difference of two independent proportions p − q by Newcombe's hybrid score method (Newcombe 1998, method 10): Wilson's limits of each, put together.
/// It keeps its level where one proportion is 0, which the usual formula does not.
/// </summary>
public static class NewcombeInterval
{
    /// <param name="successes">Successes of the first group.</param>
    /// <param name="n">Size of the first group, at least 1.</param>
    /// <param name="otherSuccesses">Successes of the second group.</param>
    /// <param name="otherN">Size of the second group, at least 1.</param>
    /// <param name="level">Share of intervals that miss the true difference on one side, between 0 and 0.5; 0.025 gives the 95 % interval.</param>
    /// <exception cref="ArgumentException">A group is empty, has more successes than members, or the level is out of range.</exception>
    public static (double Difference, double Low, double High) Of(int successes, int n, int otherSuccesses, int otherN, double level = 0.025)
    {
        if (n < 1 || otherN < 1 || successes < 0 || successes > n || otherSuccesses < 0 || otherSuccesses > otherN || level is not (> 0 and < 0.5))
            throw new ArgumentException($"{successes} of {n} and {otherSuccesses} of {otherN} at the level {level} is no comparison of two proportions.");
        var z = NormalLaw.Quantile(1 - level);
        double p = successes / (double)n, q = otherSuccesses / (double)otherN, d = p - q;
        var (lowP, highP) = Wilson(p, n, z);
        var (lowQ, highQ) = Wilson(q, otherN, z);
        return (d, d - Math.Sqrt((p - lowP) * (p - lowP) + (highQ - q) * (highQ - q)), d + Math.Sqrt((highP - p) * (highP - p) + (q - lowQ) * (q - lowQ)));
    }

    private static (double Low, double High) Wilson(double p, int n, double z)
    {
        double z2 = z * z, middle = p + z2 / (2 * n), half = z * Math.Sqrt(p * (1 - p) / n + z2 / (4.0 * n * n)), scale = 1 + z2 / n;
        return ((middle - half) / scale, (middle + half) / scale);
    }
}
