using System.Runtime.Intrinsics;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Output errors from second moments: with H = XᵀX the error of weights that are off by D is ‖X Dᵀ‖² = Σ d H dᵀ over the rows d of D, so that the
/// activations X themselves are never kept.
/// </summary>
internal static unsafe class GramMath
{
    private const int Lanes = 16, Group = 8;

    /// <summary>Σ d H dᵀ over all rows.</summary>
    /// <param name="rows">D, [count, width].</param>
    /// <param name="width">Inputs.</param>
    /// <param name="gram">H, [width, width], symmetric.</param>
    public static double SquaredOutput(float[] rows, int width, float[] gram)
    {
        var count = rows.Length / width;
        var sums = new double[(count + Group - 1) / Group];
        Parallel.For(0, sums.Length, g =>
        {
            fixed (float* d = rows, h = gram)
            {
                var first = g * Group;
                sums[g] = first + Group <= count ? Eight(d + (long)first * width, width, h) : Singly(d + (long)first * width, count - first, width, h);
            }
        });
        return sums.Sum();
    }

    // Eight rows and two vectors of columns at a time: sixteen sums in registers, and H is read once for eight rows.
    private static double Eight(float* d, int width, float* h)
    {
        var total = 0.0;
        var column = 0;
        for (; column + 2 * Lanes <= width; column += 2 * Lanes)
        {
            Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default,
                e0 = default, e1 = default, f0 = default, f1 = default, g0 = default, g1 = default, h0 = default, h1 = default;
            for (var k = 0; k < width; k++)
            {
                Vector512<float> x = Vector512.Load(h + (long)k * width + column), y = Vector512.Load(h + (long)k * width + column + Lanes);
                var at = d + k;
                Add(at, x, y, ref a0, ref a1);
                Add(at + width, x, y, ref b0, ref b1);
                Add(at + 2L * width, x, y, ref c0, ref c1);
                Add(at + 3L * width, x, y, ref d0, ref d1);
                Add(at + 4L * width, x, y, ref e0, ref e1);
                Add(at + 5L * width, x, y, ref f0, ref f1);
                Add(at + 6L * width, x, y, ref g0, ref g1);
                Add(at + 7L * width, x, y, ref h0, ref h1);
            }
            var to = d + column;
            total += Close(to, a0, a1) + Close(to + width, b0, b1) + Close(to + 2L * width, c0, c1) + Close(to + 3L * width, d0, d1)
                + Close(to + 4L * width, e0, e1) + Close(to + 5L * width, f0, f1) + Close(to + 6L * width, g0, g1) + Close(to + 7L * width, h0, h1);
        }
        for (var row = 0; row < Group; row++)
            total += Columns(d + (long)row * width, column, width, h);
        return total;

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
        static void Add(float* at, Vector512<float> x, Vector512<float> y, ref Vector512<float> left, ref Vector512<float> right)
        {
            var w = Vector512.Create(*at);
            left = Vector512.FusedMultiplyAdd(w, x, left);
            right = Vector512.FusedMultiplyAdd(w, y, right);
        }

        static double Close(float* at, Vector512<float> left, Vector512<float> right) =>
            Vector512.Sum(left * Vector512.Load(at) + right * Vector512.Load(at + Lanes));
    }

    private static double Singly(float* d, int count, int width, float* h)
    {
        var total = 0.0;
        for (var row = 0; row < count; row++)
            total += Columns(d + (long)row * width, 0, width, h);
        return total;
    }

    private static double Columns(float* d, int from, int width, float* h)
    {
        var total = 0.0;
        for (var column = from; column < width; column++)
        {
            var row = h + (long)column * width; // symmetric: a column is a row
            total += d[column] * (double)System.Numerics.Tensors.TensorPrimitives.Dot(new ReadOnlySpan<float>(d, width), new ReadOnlySpan<float>(row, width));
        }
        return total;
    }

    /// <summary>H of the activations divided by <paramref name="scales"/>: H_ij / (s_i s_j).</summary>
    public static float[] Unscaled(float[] gram, float[] scales)
    {
        var width = scales.Length;
        var result = new float[gram.Length];
        Parallel.For(0, width, i =>
        {
            var row = result.AsSpan(i * width, width);
            System.Numerics.Tensors.TensorPrimitives.Divide(gram.AsSpan(i * width, width), scales, row);
            System.Numerics.Tensors.TensorPrimitives.Divide(row, scales[i], row);
        });
        return result;
    }
}
