namespace LlmOps.Engines.Evaluation.Generation;

/// <summary>What BLEU needs to know of a segment. Those of several segments add up to those of the corpus, so a resample needs sums only.</summary>
/// <param name="HypothesisLength">Words of the answer.</param>
/// <param name="ReferenceLength">Words of the reference whose length is closest; of two as close, the shorter.</param>
/// <param name="Counts">For n = 1 to 4 the n-grams that a reference has too, each at most as often as in one reference.</param>
/// <param name="Totals">For n = 1 to 4 the n-grams of the answer.</param>
public sealed record BleuStatistics(int HypothesisLength, int ReferenceLength, IReadOnlyList<int> Counts, IReadOnlyList<int> Totals)
{
    /// <summary>The four orders of BLEU-4.</summary>
    public const int Orders = 4;

    /// <summary>Of an empty corpus.</summary>
    public static BleuStatistics Zero { get; } = new(0, 0, new int[Orders], new int[Orders]);

    /// <summary>Of both together.</summary>
    public static BleuStatistics operator +(BleuStatistics a, BleuStatistics b) => Add(a, b);

    /// <summary>Of both together.</summary>
    public static BleuStatistics Add(BleuStatistics a, BleuStatistics b) =>
        new(a.HypothesisLength + b.HypothesisLength, a.ReferenceLength + b.ReferenceLength, [.. a.Counts.Zip(b.Counts, (x, y) => x + y)], [.. a.Totals.Zip(b.Totals, (x, y) => x + y)]);

    /// <summary>As ten numbers that add up: both lengths, the counts, the totals.</summary>
    public double[] ToVector() => [HypothesisLength, ReferenceLength, .. Counts, .. Totals];

    /// <summary>From <see cref="ToVector"/>, or a sum of such.</summary>
    /// <exception cref="ArgumentException">There are not ten numbers.</exception>
    public static BleuStatistics FromVector(IReadOnlyList<double> vector)
    {
        if (vector.Count != 2 + 2 * Orders)
            throw new ArgumentException($"Statistics of BLEU are {2 + 2 * Orders} numbers, not {vector.Count}.");
        var counts = new int[vector.Count];
        for (var i = 0; i < counts.Length; i++)
            counts[i] = (int)Math.Round(vector[i]);
        return new(counts[0], counts[1], counts[2..(2 + Orders)], counts[(2 + Orders)..]);
    }
}
