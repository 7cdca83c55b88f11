using System.Numerics.Tensors;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// AWQ (Lin and others 2023): inputs that carry large activations get a finer grid. s_j = mean|x_j|^α, normalised by √(max s · min s); weights are
/// multiplied by s and whatever feeds them is divided by it, so nothing changes but the rounding.
/// </summary>
internal static class AwqScales
{
    // A tenth of the rows says as much about α as all of them.
    private const int MostRows = 512;

    /// <summary>The α of 0.05 … 0.95 in steps of 0.05 with the least output error, or null when none beats α = 0, which is plain rounding.</summary>
    /// <param name="weights">Matrices [rows, width] that read the same input.</param>
    /// <param name="statistics">Of that input.</param>
    /// <param name="roundings">Per matrix.</param>
    /// <param name="ct">Stops between two α.</param>
    public static (double Alpha, float[] Scales)? Search(IReadOnlyList<float[]> weights, ChannelStatistics statistics, IReadOnlyList<BlockRounding> roundings, CancellationToken ct)
    {
        var width = statistics.Width;
        var sampled = weights.Select(w => Sample(w, width)).ToList();
        var plain = roundings.Select(r => r with { Search = ScaleSearch.MinMax }).ToList(); // a search inside the search costs twentyfold and moves α little
        var best = (Alpha: 0.0, Scales: Enumerable.Repeat(1f, width).ToArray());
        var least = double.PositiveInfinity;
        for (var step = 0; step < 20; step++)
        {
            ct.ThrowIfCancellationRequested();
            var alpha = Math.Round(0.05 * step, 2);
            var scales = Of(statistics.MeanAbs, alpha);
            var error = sampled.Zip(plain).Sum(part => OutputError(part.First, width, scales, part.Second, statistics.Gram!));
            if (error < least)
                (best, least) = ((alpha, scales), error);
        }
        return best.Alpha == 0 ? null : best;
    }

    public static float[] Of(double[] meanAbs, double alpha)
    {
        // An input that never was anything but 0 has no say; the floor keeps its scale from being 0.
        var floor = Math.Max(1e-4 * meanAbs.Max(), double.Epsilon);
        var scales = meanAbs.Select(a => Math.Pow(Math.Max(a, floor), alpha)).ToArray();
        var middle = Math.Sqrt(scales.Max() * scales.Min());
        return [.. scales.Select(s => (float)(s / middle))];
    }

    /// <summary>‖X (Q(W s) / s − W)ᵀ‖².</summary>
    public static double OutputError(float[] weights, int width, float[] scales, BlockRounding rounding, float[] gram)
    {
        var errors = new float[weights.Length];
        int rows = weights.Length / width, padded = (width + rounding.Block - 1) / rounding.Block * rounding.Block;
        Parallel.For(0, rows, () => new float[padded], (row, _, buffer) =>
        {
            var source = weights.AsSpan(row * width, width);
            TensorPrimitives.Multiply(source, scales, buffer);
            for (var b = 0; b < padded; b += rounding.Block)
            {
                var part = buffer.AsSpan(b, rounding.Block);
                var (scale, zero) = rounding.Fit(part);
                rounding.Restore(part, scale, zero, part);
            }
            var to = errors.AsSpan(row * width, width);
            TensorPrimitives.Divide(buffer.AsSpan(0, width), scales, to);
            TensorPrimitives.Subtract(to, source, to);
            return buffer;
        }, _ => { });
        return GramMath.SquaredOutput(errors, width, gram);
    }

    private static float[] Sample(float[] weights, int width)
    {
        int rows = weights.Length / width, every = (rows + MostRows - 1) / MostRows;
        if (every == 1)
            return weights;
        var result = new float[(rows + every - 1) / every * width];
        for (var row = 0; row < rows; row += every)
            weights.AsSpan(row * width, width).CopyTo(result.AsSpan(row / every * width));
        return result;
    }
}
