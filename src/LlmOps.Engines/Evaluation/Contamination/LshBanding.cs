namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>
/// Locality-sensitive hashing of MinHash signatures: a signature is cut into b bands of r components, and two sets are candidates when
/// all components of at least one band agree.
/// </summary>
/// <remarks>
/// P(candidate | J) = 1 − (1 − Jʳ)ᵇ, an S-curve that rises steepest near J ≈ (1 ÷ b)^(1 ÷ r) (Leskovec, Rajaraman and Ullman, Mining of
/// Massive Datasets, chapter 3). Candidates are compared in full afterwards, so a low J that comes through costs time and never a
/// wrong finding; a high J that does not come through would be missed, and so the bands are chosen by recall.
/// </remarks>
public sealed record LshBanding(int Bands, int Rows)
{
    /// <summary>Of the components that can be had, how many are used.</summary>
    public int Components => Bands * Rows;

    /// <summary>1 − (1 − Jʳ)ᵇ.</summary>
    public double Probability(double jaccard) => 1 - Math.Pow(1 - Math.Pow(jaccard, Rows), Bands);

    /// <summary>(1 ÷ b)^(1 ÷ r): about where half of the pairs become candidates.</summary>
    public double Midpoint => Math.Pow(1.0 / Bands, 1.0 / Rows);

    /// <summary>The bands with the most rows, which give the fewest needless candidates, that find a pair at the threshold with at least this probability.</summary>
    /// <exception cref="ArgumentOutOfRangeException">When no bands of so few permutations reach the recall.</exception>
    public static LshBanding For(int permutations, double threshold, double recall)
    {
        for (var rows = permutations; rows > 0; rows--)
        {
            var banding = new LshBanding(permutations / rows, rows);
            if (banding.Probability(threshold) >= recall)
                return banding;
        }
        throw new ArgumentOutOfRangeException(nameof(permutations), permutations, FormattableString.Invariant($"With {permutations} permutations no banding finds a pair of similarity {threshold} with probability {recall}."));
    }

    /// <summary>One key for each band; equal keys of the same band are equal components, but for a collision of 64 bits.</summary>
    internal void Keys(ReadOnlySpan<ulong> signature, Span<ulong> keys)
    {
        for (var band = 0; band < Bands; band++)
        {
            var key = (ulong)band;
            foreach (var component in signature.Slice(band * Rows, Rows))
                key = WordHash.Mix(key * 0x9E3779B97F4A7C15 + component);
            keys[band] = key;
        }
    }
}
