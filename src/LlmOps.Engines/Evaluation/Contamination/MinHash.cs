using System.Numerics;

namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>
/// Signatures of sets, short ones, from which the Jaccard similarity of two sets can be estimated.
/// </summary>
/// <remarks>
/// For a random permutation π, P(min π(A) = min π(B)) = J(A, B) (Broder 1997). With k permutations the share Ĵ of components in which two
/// signatures agree has mean J and standard error √(J(1 − J) ÷ k), at most 1 ÷ (2√k) (0.044 for k = 128); by Hoeffding's inequality
/// P(|Ĵ − J| ≥ ε) ≤ 2·exp(−2kε²). A permutation here is x ↦ a·x + b mod 2⁶⁴ with a odd, of elements that are hashes already; a and
/// b come from the seed, so the same seed gives the same signatures everywhere.
/// </remarks>
public sealed class MinHash
{
    private readonly ulong[] multipliers;
    private readonly ulong[] offsets;

    /// <exception cref="ArgumentOutOfRangeException">When <paramref name="permutations"/> is below 1.</exception>
    public MinHash(int permutations = 128, ulong seed = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(permutations, 1);
        multipliers = new ulong[permutations];
        offsets = new ulong[permutations];
        for (var i = 0; i < permutations; i++)
        {
            multipliers[i] = WordHash.Mix(seed += 0x9E3779B97F4A7C15) | 1;
            offsets[i] = WordHash.Mix(seed += 0x9E3779B97F4A7C15);
        }
    }

    /// <summary>k, the length of a signature.</summary>
    public int Permutations => multipliers.Length;

    /// <summary>The smallest image of the set under each permutation. Of an empty set all are <see cref="ulong.MaxValue"/>.</summary>
    public ulong[] Signature(ReadOnlySpan<ulong> set)
    {
        var signature = new ulong[Permutations];
        Signature(set, signature);
        return signature;
    }

    internal void Signature(ReadOnlySpan<ulong> set, Span<ulong> signature)
    {
        var width = Vector<ulong>.Count;
        var i = 0;
        // A few permutations at once for the whole set: their minima stay in a register.
        for (; i + width <= multipliers.Length; i += width)
        {
            var (a, b, least) = (new Vector<ulong>(multipliers, i), new Vector<ulong>(offsets, i), new Vector<ulong>(ulong.MaxValue));
            foreach (var x in set)
                least = Vector.Min(least, a * x + b);
            least.CopyTo(signature[i..]);
        }
        for (; i < multipliers.Length; i++)
        {
            var least = ulong.MaxValue;
            foreach (var x in set)
                least = Math.Min(least, unchecked(multipliers[i] * x + offsets[i]));
            signature[i] = least;
        }
    }

    /// <summary>Ĵ: the share of components in which the two agree.</summary>
    /// <exception cref="ArgumentException">When the signatures have different lengths.</exception>
    public static double Estimate(ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b)
    {
        if (a.Length != b.Length || a.Length == 0)
            throw new ArgumentException($"Signatures of {a.Length} and {b.Length} permutations cannot be compared.");
        var same = 0;
        for (var i = 0; i < a.Length; i++)
            same += a[i] == b[i] ? 1 : 0;
        return (double)same / a.Length;
    }

    /// <summary>√(J(1 − J) ÷ k), the standard error of the estimate.</summary>
    public static double StandardError(double jaccard, int permutations) => Math.Sqrt(jaccard * (1 - jaccard) / permutations);

    /// <summary>2·exp(−2kε²), which the probability of an error of at least ε does not exceed.</summary>
    public static double ErrorBound(double epsilon, int permutations) => Math.Min(1, 2 * Math.Exp(-2 * permutations * epsilon * epsilon));
}
