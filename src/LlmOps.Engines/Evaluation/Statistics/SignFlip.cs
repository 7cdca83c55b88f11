namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>
/// Permutation test of paired differences: if there is no difference, each item's sign is a coin toss. p = share of sign patterns whose mean is at
/// least as far from zero as the one seen.
/// </summary>
public static class SignFlip
{
    private const int Enumerated = 16;
    private const int Sampled = 2000;

    /// <summary>
    /// Two-sided p-value. Up to 16 differences all 2ⁿ patterns; up to 2,000 a sample with p = (1 + hits) / (1 + R); above, the normal limit of the same
    /// distribution, whose variance Σd² is known exactly.
    /// </summary>
    /// <param name="differences">Second minus first, one for each item or cluster.</param>
    /// <param name="resamples">R, sampled patterns.</param>
    /// <param name="seed">Seed of the sample.</param>
    public static double PValue(ReadOnlySpan<double> differences, int resamples = 10_000, int seed = 0)
    {
        // Zeros have no sign; without them small samples can be enumerated more often.
        var d = differences.ToArray().Where(x => x != 0).ToArray();
        if (d.Length == 0)
            return 1;
        var seen = Math.Abs(d.Sum()) * (1 - 1e-12);
        if (d.Length <= Enumerated)
            return Enumerate(d, seen);
        if (d.Length > Sampled)
            return Math.Min(1, 2 * Normal.Cumulative(-Math.Abs(d.Sum()) / Math.Sqrt(d.Sum(x => x * x))));
        var hits = 0;
        Parallel.For(0, resamples, () => 0, (r, _, mine) =>
        {
            var random = new Resampling.Stream(((ulong)(uint)seed << 32) | (uint)r);
            double sum = 0;
            ulong bits = 0;
            for (var i = 0; i < d.Length; i++, bits >>= 1)
            {
                if (i % 64 == 0)
                    bits = random.Next();
                sum += (bits & 1) == 0 ? d[i] : -d[i];
            }
            return Math.Abs(sum) >= seen ? mine + 1 : mine;
        }, mine => Interlocked.Add(ref hits, mine));
        return (1.0 + hits) / (resamples + 1);
    }

    private static double Enumerate(double[] d, double seen)
    {
        var patterns = 1 << d.Length;
        var hits = 0;
        for (var pattern = 0; pattern < patterns; pattern++)
        {
            double sum = 0;
            for (var i = 0; i < d.Length; i++)
                sum += (pattern >> i & 1) == 0 ? d[i] : -d[i];
            if (Math.Abs(sum) >= seen)
                hits++;
        }
        return (double)hits / patterns;
    }
}
