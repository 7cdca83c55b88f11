namespace LlmOps.Engines.Evaluation;

/// <summary>The standard normal distribution, as far as intervals need it.</summary>
internal static class Normal
{
    /// <summary>Quantile of 0.975.</summary>
    public const double Z95 = 1.959963984540054;

    /// <summary>P(Z ≤ z); Abramowitz and Stegun 26.2.17, error below 7.5e-8.</summary>
    public static double Cumulative(double z)
    {
        var t = 1 / (1 + 0.2316419 * Math.Abs(z));
        var tail = Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI) * t
            * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
        return z < 0 ? tail : 1 - tail;
    }

    /// <summary>The z with P(Z ≤ z) = p, by halving; exact enough for an interval and needs no table.</summary>
    public static double Quantile(double p)
    {
        double low = -9, high = 9;
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            if (Cumulative(middle) < p)
                low = middle;
            else
                high = middle;
        }
        return (low + high) / 2;
    }
}
