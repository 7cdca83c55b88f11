namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>The standard normal distribution.</summary>
public static class NormalLaw
{
    /// <summary>P(Z ≤ z); error below 7.5e-8 (Abramowitz and Stegun 26.2.17).</summary>
    /// <param name="z">Standard deviations from the mean.</param>
    public static double Cumulative(double z) => Normal.Cumulative(z);

    /// <summary>The z with P(Z ≤ z) = <paramref name="p"/>.</summary>
    /// <param name="p">Between 0 and 1, both excluded.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="p"/> is not between 0 and 1.</exception>
    public static double Quantile(double p)
    {
        if (!(p > 0 && p < 1))
            throw new ArgumentOutOfRangeException(nameof(p), p, "A probability between 0 and 1 is needed.");
        return Normal.Quantile(p);
    }

    /// <summary>Density at <paramref name="z"/>.</summary>
    /// <param name="z">Standard deviations from the mean.</param>
    public static double Density(double z) => Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
}
