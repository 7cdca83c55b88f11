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
        var means = repeats.Select(r => r.Average()).ToArray();
        var mean = means.Average();
        var sd = Math.Sqrt(means.Sum(m => (m - mean) * (m - mean)) / (means.Length - 1));
        var flipped = Enumerable.Range(0, repeats[0].Length).Count(i => repeats.Any(r => r[i] != repeats[0][i]));
        return new(mean, sd, means.Max() - means.Min(), StudentT.Quantile(0.975, repeats.Length - 1) * Math.Sqrt(2) * sd, flipped / (double)repeats[0].Length, repeats.Length);
    }
}
