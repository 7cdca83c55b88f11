using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LlmOps.Engines.Evaluation.Statistics;

/// <summary>
/// Replicates of column sums by weighting instead of drawing: item i counts w_i times, w independent with P(w = 0 … 5) =
/// 94, 95, 46, 16, 4, 1 of 256. These weights have mean 1 and variance 1 as Poisson(1) has, and a third moment within 0.4 % of it; a bootstrap with
/// independent weights of mean and variance 1 is as valid as the multinomial one (Præstgaard and Wellner 1993). Used from <see cref="FromItems"/> items on,
/// where it needs a byte of random bits for an item instead of a memory access at a random place.
/// </summary>
internal static class WeightedReplicates
{
    /// <summary>Below this many items the multinomial draw itself is used.</summary>
    public const int FromItems = 1000;

    private const int Block = 64;
    // Sums of 32 blocks stay in single precision; then they go to doubles.
    private const int BlocksInSingle = 32;

    /// <summary>For each replicate the weighted sum of each column, replicate-major.</summary>
    /// <param name="columns">k columns of n values.</param>
    /// <param name="replicates">Number of replicates.</param>
    /// <param name="seed">Replicate r depends on the seed and r alone, so that the number of threads changes nothing.</param>
    public static double[] Sums(double[][] columns, int replicates, int seed)
    {
        int n = columns[0].Length, k = columns.Length, blocks = (n + Block - 1) / Block;
        // Centred, so that single precision keeps the differences; the mean comes back with the sum of the weights, which is the last column.
        var means = columns.Select(c => c.Average()).ToArray();
        var all = new float[(k + 1) * blocks * Block];
        for (var c = 0; c < k; c++)
            for (var i = 0; i < n; i++)
                all[(i / Block * (k + 1) + c) * Block + i % Block] = (float)(columns[c][i] - means[c]);
        for (var i = 0; i < n; i++)
            all[(i / Block * (k + 1) + k) * Block + i % Block] = 1;
        var sums = new double[replicates * k];
        Parallel.For(0, replicates, () => (Lanes: new Vector512<float>[4 * (k + 1)], Totals: new double[k + 1]), (r, _, scratch) =>
        {
            Replicate(all, blocks, k + 1, ((ulong)(uint)seed << 32) | (uint)r, scratch.Lanes, scratch.Totals);
            for (var c = 0; c < k; c++)
                sums[r * k + c] = scratch.Totals[c] + means[c] * scratch.Totals[k];
            return scratch;
        }, _ => { });
        return sums;
    }

    private static void Replicate(float[] all, int blocks, int columns, ulong stream, Vector512<float>[] lanes, double[] totals)
    {
        var state = Start(stream);
        Array.Clear(totals);
        Array.Clear(lanes);
        ref var data = ref MemoryMarshal.GetArrayDataReference(all);
        nuint at = 0;
        for (var block = 0; block < blocks; block++)
        {
            state ^= state << 13;
            state ^= state >>> 7;
            state ^= state << 17;
            var bytes = state.AsByte();
            // Each passed threshold adds one: a comparison gives 255, which is minus one.
            var weights = -(Vector512.GreaterThan(bytes, Vector512.Create((byte)93)) + Vector512.GreaterThan(bytes, Vector512.Create((byte)188))
                + Vector512.GreaterThan(bytes, Vector512.Create((byte)234)) + Vector512.GreaterThan(bytes, Vector512.Create((byte)250)) + Vector512.GreaterThan(bytes, Vector512.Create((byte)254)));
            var (low, high) = Vector512.Widen(weights);
            var (a, b) = Vector512.Widen(low);
            var (c, d) = Vector512.Widen(high);
            var w0 = Vector512.ConvertToSingle(a.AsInt32());
            var w1 = Vector512.ConvertToSingle(b.AsInt32());
            var w2 = Vector512.ConvertToSingle(c.AsInt32());
            var w3 = Vector512.ConvertToSingle(d.AsInt32());
            for (var column = 0; column < columns; column++, at += Block)
            {
                lanes[4 * column] += w0 * Vector512.LoadUnsafe(ref data, at);
                lanes[4 * column + 1] += w1 * Vector512.LoadUnsafe(ref data, at + 16);
                lanes[4 * column + 2] += w2 * Vector512.LoadUnsafe(ref data, at + 32);
                lanes[4 * column + 3] += w3 * Vector512.LoadUnsafe(ref data, at + 48);
            }
            if (block % BlocksInSingle == BlocksInSingle - 1 || block == blocks - 1)
                Flush(lanes, totals);
        }
    }

    private static void Flush(Vector512<float>[] lanes, double[] totals)
    {
        for (var column = 0; column < totals.Length; column++)
        {
            for (var part = 0; part < 4; part++)
            {
                var (low, high) = Vector512.Widen(lanes[4 * column + part]);
                totals[column] += Vector512.Sum(low + high);
                lanes[4 * column + part] = Vector512<float>.Zero;
            }
        }
    }

    private static Vector512<ulong> Start(ulong stream)
    {
        Span<ulong> lanes = stackalloc ulong[8];
        var z = stream;
        for (var i = 0; i < lanes.Length; i++)
        {
            z += 0x9E3779B97F4A7C15;
            var x = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
            // xorshift has one state it never leaves: zero.
            lanes[i] = (x ^ (x >> 31)) | 1;
        }
        return Vector512.Create<ulong>(lanes);
    }
}
