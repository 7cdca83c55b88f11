using System.Numerics.Tensors;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// GPTQ: inputs are rounded one after the other, and each error is made up for by the inputs that follow, as far as the activations let them.
/// Scales come from a block's weights at the time when its first one is rounded.
/// </summary>
internal static class GptqRounding
{
    // Updates reach beyond these many inputs only when all of them are rounded: the rest of the row is then read once instead of 128 times.
    private const int Lazy = 128, Band = 16;

    /// <param name="weights">[rows, width]; left as they are.</param>
    /// <param name="width">Inputs.</param>
    /// <param name="factor">U of <see cref="InverseFactor"/>.</param>
    /// <param name="rounding">Bits and blocks.</param>
    /// <param name="importance">Per input, what a squared error counts in a scale search; null when all count the same.</param>
    /// <param name="ct">Stops between two bands of rows.</param>
    public static PackedBlocks Pack(float[] weights, int width, float[] factor, BlockRounding rounding, float[]? importance = null, CancellationToken ct = default)
    {
        int rows = weights.Length / width, block = rounding.Block, blocks = (width + block - 1) / block, padded = blocks * block, blob = block * rounding.Bits / 8;
        var packed = PackedBlocks.For(rows, blocks, rounding);
        var counts = importance is null ? null : new float[padded];
        importance?.CopyTo(counts!, 0);
        Parallel.For(0, (rows + Band - 1) / Band, new ParallelOptions { CancellationToken = ct }, band =>
        {
            int first = band * Band, count = Math.Min(Band, rows - first), lazy = Math.Max(Lazy, block);
            var work = new float[count * padded];
            var errors = new float[count * lazy];
            for (var r = 0; r < count; r++)
                weights.AsSpan((first + r) * width, width).CopyTo(work.AsSpan(r * padded));
            for (var from = 0; from < width; from += lazy)
            {
                var to = Math.Min(from + lazy, width);
                for (var r = 0; r < count; r++)
                    RoundInputs(work.AsSpan(r * padded, padded), errors.AsSpan(r * lazy, lazy), from, to, width, factor, rounding, packed, first + r, counts);
                for (var i = from; i < to; i++)
                    for (var r = 0; r < count; r++)
                    {
                        var rest = work.AsSpan(r * padded + to, width - to);
                        TensorPrimitives.MultiplyAdd(factor.AsSpan(i * width + to, width - to), -errors[r * lazy + i - from], rest, rest);
                    }
            }
            for (var r = 0; r < count; r++)
                for (var b = 0; b < blocks; b++)
                {
                    var at = (first + r) * blocks + b;
                    rounding.Pack(work.AsSpan(r * padded + b * block, block), packed.Scales[at], packed.ZeroPoints?[at] ?? rounding.Middle, packed.Values.AsSpan(at * blob, blob));
                }
        });
        return packed;
    }

    private static void RoundInputs(Span<float> row, Span<float> errors, int from, int to, int width, float[] factor, BlockRounding rounding, PackedBlocks packed, int index, ReadOnlySpan<float> counts)
    {
        var (scale, zero) = (0f, 0);
        for (var i = from; i < to; i++)
        {
            if (i % rounding.Block == 0)
            {
                (scale, zero) = rounding.Fit(row.Slice(i, rounding.Block), counts.IsEmpty ? default : counts.Slice(i, rounding.Block));
                var at = index * packed.Blocks + i / rounding.Block;
                packed.Scales[at] = scale;
                if (packed.ZeroPoints is not null)
                    packed.ZeroPoints[at] = (byte)zero;
            }
            var rounded = rounding.Restore(row[i], scale, zero);
            var error = errors[i - from] = (row[i] - rounded) / factor[i * width + i];
            row[i] = rounded;
            var rest = row[(i + 1)..to];
            TensorPrimitives.MultiplyAdd(factor.AsSpan(i * width + i + 1, to - i - 1), -error, rest, rest);
        }
    }
}
