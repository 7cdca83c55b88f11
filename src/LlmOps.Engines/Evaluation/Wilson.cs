namespace LlmOps.Engines.Evaluation;

/// <summary>Score interval for a proportion (Wilson 1927): keeps its coverage near 0 and 1 and for few items, where p ± 1.96·se does not.</summary>
public static class Wilson
{
    /// <summary>
    /// (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n) with z = 1.96; the value is p itself.
    /// </summary>
    /// <param name="successes">Items that succeeded.</param>
    /// <param name="n">All items.</param>
    /// <exception cref="ArgumentException">There is no item, or more successes than items.</exception>
    public static Estimate Interval(int successes, int n)
    {
        if (n < 1 || successes < 0 || successes > n)
            throw new ArgumentException($"{successes} successes of {n} items is no proportion.");
        const double z = Normal.Z95;
        var p = successes / (double)n;
        var scale = 1 + z * z / n;
        var centre = p + z * z / (2 * n);
        var half = z * Math.Sqrt(p * (1 - p) / n + z * z / (4.0 * n * n));
        // At the ends the formula gives exactly 0 and 1; rounding must not make it -1e-17.
        return new Estimate(p, successes == 0 ? 0 : (centre - half) / scale, successes == n ? 1 : (centre + half) / scale, n);
    }
}
