namespace LlmOps.Engines.Onnx;

/// <summary>Running comparison of two models' logits, rows of one vocabulary each.</summary>
internal sealed class LogitDifference
{
    private double squaredDifference, squaredReference;

    public double MaxAbs { get; private set; }
    public double MaxReference { get; private set; }
    public int Rows { get; private set; }
    public int AgreeingRows { get; private set; }
    public double RelativeL2 => squaredDifference == 0 ? 0 : Math.Sqrt(squaredDifference / squaredReference);
    public double ArgmaxAgreement => Rows == 0 ? 1 : (double)AgreeingRows / Rows;
    public bool IsFinite => double.IsFinite(squaredDifference) && double.IsFinite(squaredReference);

    /// <param name="reference">Rows of the model to compare with.</param>
    /// <param name="actual">The same rows of the model under test.</param>
    /// <param name="vocabulary">Width of a row.</param>
    /// <param name="tie">Argmaxes agree also when the reference puts both tokens this close: rounding decides there, not the model.</param>
    /// <returns>The first row whose argmax differs, or −1.</returns>
    public int Add(ReadOnlySpan<float> reference, ReadOnlySpan<float> actual, int vocabulary, double tie = 0)
    {
        if (reference.Length != actual.Length)
            throw new InvalidModelException($"The models give {reference.Length} and {actual.Length} logits for the same tokens.");
        var first = -1;
        for (var row = 0; row < reference.Length / vocabulary; row++)
        {
            ReadOnlySpan<float> expected = reference.Slice(row * vocabulary, vocabulary), found = actual.Slice(row * vocabulary, vocabulary);
            int best = 0, chosen = 0;
            for (var i = 0; i < vocabulary; i++)
            {
                var difference = Math.Abs((double)expected[i] - found[i]);
                MaxAbs = double.IsNaN(difference) ? difference : Math.Max(MaxAbs, difference);
                MaxReference = Math.Max(MaxReference, Math.Abs(expected[i]));
                squaredDifference += difference * difference;
                squaredReference += (double)expected[i] * expected[i];
                best = expected[i] > expected[best] ? i : best;
                chosen = found[i] > found[chosen] ? i : chosen;
            }
            Rows++;
            if (best == chosen || expected[best] - expected[chosen] <= tie)
                AgreeingRows++;
            else if (first < 0)
                first = row;
        }
        return first;
    }
}
