namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>Score interval for the difference of two paired proportions (Tango 1998): all differences that a score test does not reject.</summary>
public static class TangoInterval
{
    /// <summary>
    /// Solves (g − l − nδ) / √(n(2q + δ(1−δ))) = ±z, q being the probability of a lost item that fits δ best.
    /// </summary>
    /// <param name="gained">Items only the second model answers rightly.</param>
    /// <param name="lost">Items only the first model answers rightly.</param>
    /// <param name="n">All items.</param>
    /// <param name="confidence">Two-sided.</param>
    /// <exception cref="ArgumentException">Counts are negative or exceed n.</exception>
    public static (double Low, double High) Of(int gained, int lost, int n, double confidence = 0.95)
    {
        if (gained < 0 || lost < 0 || n < 1 || gained + lost > n)
            throw new ArgumentException($"{gained} gained and {lost} lost of {n} items is not possible.");
        var z = Normal.Quantile((1 + confidence) / 2);
        var value = (gained - lost) / (double)n;
        return (Solve(-1, value, z), Solve(value, 1, -z));

        // The score falls from one end to the other, so halving finds where it is z.
        double Solve(double low, double high, double target)
        {
            for (var i = 0; i < 60; i++)
            {
                var middle = (low + high) / 2;
                if (Score(middle) > target)
                    low = middle;
                else
                    high = middle;
            }
            return (low + high) / 2;
        }

        double Score(double delta)
        {
            var b = (2.0 * n - gained + lost) * delta - gained - lost;
            var c = -lost * delta * (1 - delta);
            var q = (Math.Sqrt(Math.Max(0, b * b - 8.0 * n * c)) - b) / (4.0 * n);
            var variance = n * (2 * q + delta * (1 - delta));
            var difference = gained - lost - n * delta;
            return variance <= 1e-12 ? Math.Sign(difference) * double.PositiveInfinity : difference / Math.Sqrt(variance);
        }
    }
}
