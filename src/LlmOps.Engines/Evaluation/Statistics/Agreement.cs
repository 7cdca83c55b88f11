namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>Agreement of two raters beyond chance (Cohen 1960).</summary>
/// <param name="Value">κ = (p_o − p_e) / (1 − p_e); null when both always say the same single word, so that chance explains everything.</param>
/// <param name="Low">Lower end of the 95 % interval (Fleiss, Cohen and Everitt 1969).</param>
/// <param name="High">Upper end.</param>
/// <param name="Observed">Share of items on which they agree.</param>
/// <param name="Expected">Share on which chance alone would agree.</param>
/// <param name="N">Items.</param>
/// <param name="Confusion">Rows: first rater's label; columns: second's.</param>
public sealed record Kappa(double? Value, double Low, double High, double Observed, double Expected, int N, int[][] Confusion)
{
    /// <summary>κ of two raters over the same items.</summary>
    /// <param name="first">Label of each item, 0 to labels − 1.</param>
    /// <param name="second">Label of each item by the other rater.</param>
    /// <param name="labels">Number of labels, at least 2.</param>
    /// <exception cref="ArgumentException">There is no item, lengths differ, or a label is out of range.</exception>
    public static Kappa Of(int[] first, int[] second, int labels)
    {
        if (first.Length == 0 || first.Length != second.Length || labels < 2)
            throw new ArgumentException($"{first.Length} and {second.Length} labels of {labels} kinds cannot be compared.");
        var confusion = Enumerable.Range(0, labels).Select(_ => new int[labels]).ToArray();
        for (var i = 0; i < first.Length; i++)
        {
            if ((uint)first[i] >= (uint)labels || (uint)second[i] >= (uint)labels)
                throw new ArgumentException($"Item {i} has a label outside 0 to {labels - 1}.");
            confusion[first[i]][second[i]]++;
        }
        double n = first.Length;
        var rows = confusion.Select(r => r.Sum() / n).ToArray();
        var columns = Enumerable.Range(0, labels).Select(c => confusion.Sum(r => r[c]) / n).ToArray();
        var observed = Enumerable.Range(0, labels).Sum(k => confusion[k][k]) / n;
        var expected = Enumerable.Range(0, labels).Sum(k => rows[k] * columns[k]);
        if (1 - expected < 1e-12)
            return new(null, double.NegativeInfinity, double.PositiveInfinity, observed, expected, first.Length, confusion);
        var kappa = (observed - expected) / (1 - expected);
        double diagonal = 0, off = 0;
        for (var i = 0; i < labels; i++)
        {
            for (var j = 0; j < labels; j++)
            {
                var p = confusion[i][j] / n;
                if (i == j)
                    diagonal += p * Math.Pow(1 - (rows[i] + columns[i]) * (1 - kappa), 2);
                else
                    off += p * Math.Pow(columns[i] + rows[j], 2);
            }
        }
        var variance = (diagonal + (1 - kappa) * (1 - kappa) * off - Math.Pow(kappa - expected * (1 - kappa), 2)) / (n * Math.Pow(1 - expected, 2));
        var half = Normal.Z95 * Math.Sqrt(Math.Max(0, variance));
        return new(kappa, Math.Max(-1, kappa - half), Math.Min(1, kappa + half), observed, expected, first.Length, confusion);
    }
}

/// <summary>
/// The true rate behind an imperfect judge (Rogan and Gladen 1978): (rate + specificity − 1) / (sensitivity + specificity − 1), with the errors of
/// all three in its interval (delta method).
/// </summary>
public static class RoganGladen
{
    /// <summary>The corrected rate, held within 0 and 1; null when the judge is no better than chance.</summary>
    /// <param name="judgedYes">Items of the evaluation the judge said yes to.</param>
    /// <param name="judged">Items of the evaluation.</param>
    /// <param name="truePositives">Calibration items that are yes and were judged yes.</param>
    /// <param name="positives">Calibration items that are yes, at least 1.</param>
    /// <param name="trueNegatives">Calibration items that are no and were judged no.</param>
    /// <param name="negatives">Calibration items that are no, at least 1.</param>
    /// <exception cref="ArgumentException">A count is impossible.</exception>
    public static Estimate? Correct(int judgedYes, int judged, int truePositives, int positives, int trueNegatives, int negatives)
    {
        if (judged < 1 || positives < 1 || negatives < 1 || judgedYes < 0 || judgedYes > judged || truePositives < 0 || truePositives > positives || trueNegatives < 0 || trueNegatives > negatives)
            throw new ArgumentException("The counts do not fit together: each group needs an item, and no part is larger than its whole.");
        double rate = judgedYes / (double)judged, sensitivity = truePositives / (double)positives, specificity = trueNegatives / (double)negatives;
        var power = sensitivity + specificity - 1;
        if (power <= 0)
            return null;
        var value = (rate + specificity - 1) / power;
        var variance = (rate * (1 - rate) / judged + value * value * sensitivity * (1 - sensitivity) / positives + (1 - value) * (1 - value) * specificity * (1 - specificity) / negatives) / (power * power);
        var half = Normal.Z95 * Math.Sqrt(variance);
        return new(Math.Clamp(value, 0, 1), Math.Clamp(value - half, 0, 1), Math.Clamp(value + half, 0, 1), judged);
    }
}
