using System.Numerics.Tensors;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// The upper factor U of the inverse of a second-moment matrix, H⁻¹ = UᵀU, with which GPTQ (Frantar and others 2022) moves a rounding error to the
/// weights that are not rounded yet. H = U⁻¹ U⁻ᵀ, so U⁻¹ is the Cholesky factor of H taken from the last index to the first: the inverse itself is
/// never formed.
/// </summary>
internal static class InverseFactor
{
    private const int Panel = 64;

    /// <param name="gram">H = XᵀX, [width, width]; left as it is.</param>
    /// <param name="width">Inputs.</param>
    /// <param name="damping">Added to the diagonal, as a share of its mean.</param>
    /// <returns>U, [width, width], zero below the diagonal.</returns>
    /// <exception cref="InvalidModelException">H is not positive definite even so: activations are not finite.</exception>
    public static float[] Of(float[] gram, int width, double damping)
    {
        var mean = 0.0;
        for (var i = 0; i < width; i++)
            mean += gram[i * width + i] / (double)width;
        // Reversed, so that the usual lower factor of it is U⁻¹ reversed. An input that never was anything but 0 gets a diagonal of 1: its
        // weight is rounded alone.
        var a = new double[width * width];
        for (var i = 0; i < width; i++)
            for (var j = 0; j <= i; j++)
                a[i * width + j] = gram[(width - 1 - i) * width + width - 1 - j];
        for (var i = 0; i < width; i++)
            a[i * width + i] = a[i * width + i] == 0 ? 1 : a[i * width + i] + damping * mean;
        Factor(a, width);
        var inverse = Inverse(a, width);
        var result = new float[width * width];
        Parallel.For(0, width, i =>
        {
            for (var j = 0; j <= i; j++)
                result[(width - 1 - i) * width + width - 1 - j] = (float)inverse[i * width + j];
        });
        return result;
    }

    // Cholesky by panels of columns: rows below a panel are independent of each other.
    private static void Factor(double[] a, int n)
    {
        for (var p = 0; p < n; p += Panel)
        {
            var end = Math.Min(p + Panel, n);
            for (var i = p; i < end; i++)
            {
                Columns(i, p, i);
                var pivot = a[i * n + i] - TensorPrimitives.SumOfSquares<double>(a.AsSpan(i * n, i));
                a[i * n + i] = pivot > 0 ? Math.Sqrt(pivot) : throw new InvalidModelException($"The second moments of the activations are not positive definite (pivot {pivot:g3} at input {n - 1 - i}).");
            }
            var from = p;
            Parallel.For(end, n, i => Columns(i, from, end));
        }

        void Columns(int i, int from, int to)
        {
            for (var j = from; j < to; j++)
                a[i * n + j] = (a[i * n + j] - TensorPrimitives.Dot<double>(a.AsSpan(i * n, j), a.AsSpan(j * n, j))) / a[j * n + j];
        }
    }

    // Rows of L⁻¹ by forward substitution; bands of columns are independent of each other.
    private static double[] Inverse(double[] l, int n)
    {
        var x = new double[n * n];
        Parallel.For(0, (n + Panel - 1) / Panel, band =>
        {
            int left = band * Panel, width = Math.Min(Panel, n - left);
            for (var i = left; i < n; i++)
            {
                var row = x.AsSpan(i * n + left, width);
                if (i < left + width)
                    row[i - left] = 1;
                for (var j = left; j < i; j++)
                    TensorPrimitives.MultiplyAdd(x.AsSpan(j * n + left, width), -l[i * n + j], row, row);
                TensorPrimitives.Divide(row, l[i * n + i], row);
            }
        });
        return x;
    }
}
