namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>Student's t distribution with whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4, finite sums).</summary>
public static class StudentT
{
    /// <summary>P(T ≤ t).</summary>
    /// <param name="t">Value.</param>
    /// <param name="freedom">Degrees of freedom, at least 1.</param>
    public static double Cumulative(double t, int freedom)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(freedom, 1);
        var angle = Math.Atan(t / Math.Sqrt(freedom));
        var (sine, square) = (Math.Sin(angle), Math.Cos(angle) * Math.Cos(angle));
        double term, sum;
        if (freedom % 2 == 1)
        {
            term = sum = freedom == 1 ? 0 : Math.Cos(angle);
            for (var k = 3; k <= freedom - 2; k += 2)
                sum += term *= square * (k - 1) / k;
            return 0.5 + (angle + sine * sum) / Math.PI;
        }
        term = sum = 1;
        for (var k = 2; k <= freedom - 2; k += 2)
            sum += term *= square * (k - 1) / k;
        return 0.5 + sine * sum / 2;
    }

    /// <summary>The t with P(T ≤ t) = <paramref name="p"/>.</summary>
    /// <param name="p">Between 0 and 1, both excluded.</param>
    /// <param name="freedom">Degrees of freedom, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of range.</exception>
    public static double Quantile(double p, int freedom)
    {
        if (!(p > 0 && p < 1))
            throw new ArgumentOutOfRangeException(nameof(p), p, "A probability between 0 and 1 is needed.");
        double low = -1e6, high = 1e6;
        for (var i = 0; i < 100; i++)
        {
            var middle = (low + high) / 2;
            if (Cumulative(middle, freedom) < p)
                low = middle;
            else
                high = middle;
        }
        return (low + high) / 2;
    }
}
