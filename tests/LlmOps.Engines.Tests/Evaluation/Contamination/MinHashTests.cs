using LlmOps.Engines.Evaluation.Contamination;

namespace LlmOps.Engines.Tests.Evaluation.Contamination;

public sealed class MinHashTests
{
    /// <summary>Two sets of 100 elements with this many in common.</summary>
    private static (ulong[] A, ulong[] B, double Jaccard) Pair(Random random, int common)
    {
        ulong[] Fresh(int n) => [.. Enumerable.Range(0, n).Select(_ => (ulong)random.NextInt64(long.MinValue, long.MaxValue))];
        var both = Fresh(common);
        ulong[] a = [.. both.Concat(Fresh(100 - common)).Order()], b = [.. both.Concat(Fresh(100 - common)).Order()];
        return (a, b, Jaccard.OfSorted(a, b));
    }

    [Theory]
    [InlineData(20)]
    [InlineData(50)]
    [InlineData(89)]
    public void Estimate_ErrsAsTheFormulaSays(int common)
    {
        var (random, pairs, k) = (new Random(7), 2000, 128);
        var minHash = new MinHash(k, 42);
        var (errors, jaccard) = (new List<double>(), 0.0);
        for (var i = 0; i < pairs; i++)
        {
            var (a, b, j) = Pair(random, common);
            jaccard = j;
            errors.Add(MinHash.Estimate(minHash.Signature(a), minHash.Signature(b)) - j);
        }
        Assert.Equal(common / (200.0 - common), jaccard, 1e-12);
        var error = MinHash.StandardError(jaccard, k);
        // 2,000 pairs: the mean is within 4 of its standard errors, the spread within 8 % (4 × 1 ÷ √(2 · 2000) is 6 %).
        Assert.InRange(errors.Average(), -4 * error / Math.Sqrt(pairs), 4 * error / Math.Sqrt(pairs));
        Assert.InRange(Math.Sqrt(errors.Average(e => e * e)) / error, 0.92, 1.08);
        foreach (var epsilon in new[] { 0.08, 0.1, 0.15 })
            Assert.True(errors.Count(e => Math.Abs(e) >= epsilon) <= MinHash.ErrorBound(epsilon, k) * pairs, $"{errors.Count(e => Math.Abs(e) >= epsilon)} of {pairs} err by {epsilon}");
    }

    [Fact]
    public void SameSeed_GivesTheSameSignature_AndAnotherSeedAnother()
    {
        ulong[] set = [3, 5, 8, 13];
        Assert.Equal(new MinHash(16, 9).Signature(set), new MinHash(16, 9).Signature(set));
        Assert.NotEqual(new MinHash(16, 9).Signature(set), new MinHash(16, 10).Signature(set));
        // Written down: a signature must not depend on the machine, its vectors or the version of the runtime.
        Assert.Equal(Scalar(set, 16, 9), new MinHash(16, 9).Signature(set));
        Assert.All(new MinHash(7).Signature([]), c => Assert.Equal(ulong.MaxValue, c));
    }

    /// <summary>The definition, element by element.</summary>
    private static ulong[] Scalar(ulong[] set, int k, ulong seed)
    {
        static ulong Mix(ulong x)
        {
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
            return x ^ (x >> 31);
        }
        var signature = new ulong[k];
        for (var i = 0; i < k; i++)
        {
            var a = Mix(seed += 0x9E3779B97F4A7C15) | 1;
            var b = Mix(seed += 0x9E3779B97F4A7C15);
            signature[i] = set.Min(x => unchecked(a * x + b));
        }
        return signature;
    }

    [Fact]
    public void Estimate_RefusesSignaturesOfDifferentLengths() => Assert.Throws<ArgumentException>(() => MinHash.Estimate(new MinHash(8).Signature([1]), new MinHash(9).Signature([1])));

    [Fact]
    public void Banding_IsTheSmallestThatReachesTheRecall()
    {
        var banding = LshBanding.For(128, 0.8, 0.999);
        Assert.Equal((25, 5), (banding.Bands, banding.Rows));
        // 1 − (1 − 0.8⁵)²⁵
        Assert.Equal(1 - Math.Pow(1 - 0.32768, 25), banding.Probability(0.8), 1e-12);
        Assert.True(banding.Probability(0.8) > 0.9999 && banding.Probability(0.3) < 0.07);
        Assert.Equal(0.525, banding.Midpoint, 1e-3);
        Assert.True(new LshBanding(128 / 6, 6).Probability(0.8) < 0.999);
        Assert.Throws<ArgumentOutOfRangeException>(() => LshBanding.For(2, 0.2, 0.999));
    }

    [Fact]
    public void Banding_FindsPairsAsOftenAsTheCurveSays()
    {
        var (random, banding, pairs) = (new Random(11), LshBanding.For(128, 0.8, 0.999), 1500);
        var minHash = new MinHash(banding.Components, 5);
        foreach (var common in new[] { 50, 67, 80, 90 })
        {
            var (hits, jaccard) = (0, 0.0);
            var (left, right) = (new ulong[banding.Bands], new ulong[banding.Bands]);
            for (var i = 0; i < pairs; i++)
            {
                var (a, b, j) = Pair(random, common);
                jaccard = j;
                banding.Keys(minHash.Signature(a), left);
                banding.Keys(minHash.Signature(b), right);
                hits += left.Zip(right).Any(k => k.First == k.Second) ? 1 : 0;
            }
            var p = banding.Probability(jaccard);
            Assert.InRange((double)hits / pairs, p - 4 * Math.Sqrt(p * (1 - p) / pairs) - 0.003, p + 4 * Math.Sqrt(p * (1 - p) / pairs) + 0.003);
        }
    }
}
