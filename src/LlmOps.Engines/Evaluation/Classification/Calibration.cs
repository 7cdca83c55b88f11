namespace LlmOps.Engines.Evaluation.Classification;

/// <summary>Rows whose confidence lies in (Low, High]; the first bin includes 0.</summary>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
/// <param name="Count">Rows.</param>
/// <param name="Confidence">Their mean confidence; null without rows.</param>
/// <param name="Accuracy">Their share of right ones; null without rows.</param>
public sealed record ReliabilityBin(double Low, double High, int Count, double? Confidence, double? Accuracy);

/// <summary>Whether a model that says 80 % is right in 80 % of the cases.</summary>
public static class Calibration
{
    /// <summary>Number of bins in the usual expected calibration error (Guo et al. 2017).</summary>
    public const int UsualBins = 15;

    /// <summary>Bins of equal width over 0 to 1.</summary>
    /// <param name="rows">Confidence in the chosen answer, and whether it is right.</param>
    /// <param name="bins">Number of bins.</param>
    /// <exception cref="ArgumentException">A confidence is not within 0 and 1.</exception>
    public static IReadOnlyList<ReliabilityBin> Reliability(IReadOnlyList<(double Confidence, bool Right)> rows, int bins = UsualBins)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        foreach (var (confidence, _) in rows)
            Require(confidence);
        var inBin = rows.ToLookup(r => Bin(r.Confidence, bins));
        return [.. Enumerable.Range(0, bins).Select(b =>
        {
            var members = inBin[b].ToList();
            return new ReliabilityBin(b / (double)bins, (b + 1) / (double)bins, members.Count,
                members.Count == 0 ? null : members.Average(m => m.Confidence), members.Count == 0 ? null : members.Average(m => m.Right ? 1.0 : 0));
        })];
    }

    /// <summary>Expected calibration error: Σ over bins of share · |accuracy − confidence|; null without rows.</summary>
    /// <inheritdoc cref="Reliability"/>
    public static double? ExpectedError(IReadOnlyList<(double Confidence, bool Right)> rows, int bins = UsualBins) =>
        rows.Count == 0 ? null : Reliability(rows, bins).Where(b => b.Count > 0).Sum(b => b.Count / (double)rows.Count * Math.Abs(b.Accuracy!.Value - b.Confidence!.Value));

    /// <summary>A row as numbers that add up over rows: for each bin how many rows, the sum of their confidences, and how many are right.</summary>
    /// <exception cref="ArgumentException">The confidence is not within 0 and 1.</exception>
    public static double[] RowStatistics(double confidence, bool right, int bins = UsualBins)
    {
        Require(confidence);
        var vector = new double[3 * bins];
        var bin = Bin(confidence, bins);
        (vector[3 * bin], vector[3 * bin + 1], vector[3 * bin + 2]) = (1, confidence, right ? 1 : 0);
        return vector;
    }

    /// <summary>Expected calibration error from a sum of <see cref="RowStatistics"/>; null without rows.</summary>
    public static double? ExpectedError(IReadOnlyList<double> sums)
    {
        var (rows, gaps) = (0.0, 0.0);
        for (var i = 0; i + 2 < sums.Count; i += 3)
            (rows, gaps) = (rows + sums[i], gaps + Math.Abs(sums[i + 2] - sums[i + 1]));
        return rows == 0 ? null : gaps / rows;
    }

    /// <summary>Greatest |accuracy − confidence| of a bin; null without rows.</summary>
    /// <inheritdoc cref="Reliability"/>
    public static double? MaximumError(IReadOnlyList<(double Confidence, bool Right)> rows, int bins = UsualBins) =>
        rows.Count == 0 ? null : Reliability(rows, bins).Where(b => b.Count > 0).Max(b => Math.Abs(b.Accuracy!.Value - b.Confidence!.Value));

    private static int Bin(double confidence, int bins) => Math.Clamp((int)Math.Ceiling(confidence * bins) - 1, 0, bins - 1);

    private static void Require(double confidence)
    {
        if (!(confidence >= 0 && confidence <= 1))
            throw new ArgumentException($"A confidence is a number of 0 to 1, not {confidence}.");
    }
}

/// <summary>A temperature that logits are divided by before the softmax.</summary>
/// <param name="Temperature">Above 1 if the model is too sure of itself.</param>
/// <param name="Before">Mean −ln p(right label) at temperature 1.</param>
/// <param name="After">The same at the fitted temperature.</param>
public sealed record TemperatureFit(double Temperature, double Before, double After);

/// <summary>Temperature scaling (Guo et al. 2017): the one number that minimises the mean −ln p of the right labels. It changes no decision.</summary>
public static class TemperatureScaling
{
    private const double Widest = 4.605170185988092; // ln 100: temperatures of 0.01 to 100.

    /// <summary>Fits the temperature on rows that are not evaluated with it afterwards.</summary>
    /// <param name="logits">Per row one number per class.</param>
    /// <param name="right">Per row the right class.</param>
    /// <exception cref="ArgumentException">There is no row, or the lengths or classes do not fit.</exception>
    public static TemperatureFit Fit(IReadOnlyList<double[]> logits, IReadOnlyList<int> right)
    {
        if (logits.Count == 0 || logits.Count != right.Count || logits.Where((l, i) => right[i] < 0 || right[i] >= l.Length || l.Any(v => !double.IsFinite(v))).Any())
            throw new ArgumentException("Temperature scaling needs one row or more, each with finite logits and the index of its right class.");
        // The loss is convex in 1/T, so it has one minimum in ln T too; golden sections find it without derivatives.
        var golden = (Math.Sqrt(5) - 1) / 2;
        var (low, high) = (-Widest, Widest);
        while (high - low > 1e-9)
        {
            var (a, b) = (high - golden * (high - low), low + golden * (high - low));
            if (Loss(logits, right, Math.Exp(a)) <= Loss(logits, right, Math.Exp(b)))
                high = b;
            else
                low = a;
        }
        var temperature = Math.Exp((low + high) / 2);
        return new TemperatureFit(temperature, Loss(logits, right, 1), Loss(logits, right, temperature));
    }

    /// <summary>Softmax of logits / temperature.</summary>
    public static double[] Probabilities(double[] logits, double temperature)
    {
        var max = logits.Max();
        var weights = Array.ConvertAll(logits, l => Math.Exp((l - max) / temperature));
        var sum = weights.Sum();
        return Array.ConvertAll(weights, w => w / sum);
    }

    private static double Loss(IReadOnlyList<double[]> logits, IReadOnlyList<int> right, double temperature) =>
        logits.Select((row, i) =>
        {
            var max = row.Max();
            return Math.Log(row.Sum(l => Math.Exp((l - max) / temperature))) - (row[right[i]] - max) / temperature;
        }).Average();
}
