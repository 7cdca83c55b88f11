namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>How much a suite's number moves when nothing changed.</summary>
/// <param name="Mean">Mean of the repeats.</param>
/// <param name="Sd">Standard deviation between repeats (n − 1).</param>
/// <param name="Range">Largest minus smallest repeat.</param>
/// <param name="DifferenceFloor">t·√2·Sd, t being Student's 97.5 % point with repeats − 1 degrees of freedom, because Sd itself is estimated: two single runs of the same model differ by less than this in 95 of 100 cases.</param>
/// <param name="FlippedShare">Share of items whose value is not the same in all repeats.</param>
/// <param name="Repeats">Number of repeats.</param>
public sealed record NoiseFloor(double Mean, double Sd, double Range, double DifferenceFloor, double FlippedShare, int Repeats)
{
    /// <summary>The noise floor of the mean over items.</summary>
    /// <param name="repeats">For each repeat one value for each item, items in the same order.</param>
    /// <exception cref="ArgumentException">There are fewer than two repeats, or they differ in length.</exception>
    public static NoiseFloor Of(double[][] repeats)
    {
        if (repeats.Length < 2)
            throw new ArgumentException("At least two repeats are needed to see noise.");
        if (repeats[0].Length == 0 || repeats.Any(r => r.Length != repeats[0].Length))
            throw new ArgumentException("All repeats must have the same items, at least one.");
        var flipped = Enumerable.Range(0, repeats[0].Length).Count(i => repeats.Any(r => r[i] != repeats[0][i]));
        return OfValues([.. repeats.Select(r => r.Average())], flipped / (double)repeats[0].Length);
    }

    /// <summary>The noise floor of a metric that is no mean over items, such as BLEU or bits per byte.</summary>
    /// <param name="values">The metric of each repeat.</param>
    /// <param name="flippedShare">Share of items whose value is not the same in all repeats.</param>
    /// <exception cref="ArgumentException">There are fewer than two repeats, or a value is not finite.</exception>
    public static NoiseFloor OfValues(IReadOnlyList<double> values, double flippedShare)
    {
        if (values.Count < 2 || values.Any(v => !double.IsFinite(v)))
            throw new ArgumentException("At least two repeats with finite values are needed to see noise.");
        var mean = values.Average();
        var sd = Math.Sqrt(values.Sum(m => (m - mean) * (m - mean)) / (values.Count - 1));
        return new(mean, sd, values.Max() - values.Min(), StudentT.Quantile(0.975, values.Count - 1) * Math.Sqrt(2) * sd, flippedShare, values.Count);
    }

    /// <summary>Half of the 95 % interval of <see cref="Mean"/>: t·Sd/√n, t as above.</summary>
    public double HalfWidth => StudentT.Quantile(0.975, Repeats - 1) * Sd / Math.Sqrt(Repeats);
}
