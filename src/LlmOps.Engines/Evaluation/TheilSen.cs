namespace LlmOps.Engines.Evaluation;

/// <summary>A slope per step with its confidence interval.</summary>
public sealed record TrendEstimate(double Slope, double Low, double High, int N);

/// <summary>
/// The Theil–Sen slope: the median of the slopes of all pairs of points, which up to 29 % of wild points cannot carry away. The interval
/// is Sen's (1968): with C = z · √(n(n−1)(2n+5)/18 − ties), the slopes of rank (N−C)/2 and (N+C)/2 + 1 among the N sorted pair slopes.
/// </summary>
public static class TheilSen
{
    /// <summary>With fewer points the 95 % interval takes in every slope, so that it can never say anything.</summary>
    public const int FewestPoints = 6;

    /// <param name="values">Points at equal distances, oldest first.</param>
    /// <param name="confidence">Of the interval, between 0 and 1.</param>
    /// <exception cref="ArgumentException">There are fewer than two points.</exception>
    public static TrendEstimate Fit(double[] values, double confidence = 0.95)
    {
        ArgumentNullException.ThrowIfNull(values);
        var n = values.Length;
        if (n < 2)
            throw new ArgumentException("A slope needs two points.", nameof(values));
        var slopes = new List<double>(n * (n - 1) / 2);
        for (var i = 0; i < n; i++)
            for (var j = i + 1; j < n; j++)
                slopes.Add((values[j] - values[i]) / (j - i));
        slopes.Sort();
        var ties = values.GroupBy(v => v).Where(g => g.Count() > 1).Sum(g => (double)g.Count() * (g.Count() - 1) * (2 * g.Count() + 5));
        var variance = ((double)n * (n - 1) * (2 * n + 5) - ties) / 18;
        var c = Normal.Quantile(1 - (1 - confidence) / 2) * Math.Sqrt(Math.Max(variance, 0));
        var count = slopes.Count;
        // 1-based ranks, rounded outwards; beyond the ends the data say nothing about that side.
        var low = (int)Math.Floor((count - c) / 2);
        var high = (int)Math.Ceiling((count + c) / 2) + 1;
        var median = count % 2 == 1 ? slopes[count / 2] : (slopes[count / 2 - 1] + slopes[count / 2]) / 2;
        return new(median, low < 1 ? double.NegativeInfinity : slopes[low - 1], high > count ? double.PositiveInfinity : slopes[high - 1], n);
    }
}
