namespace LlmOps.Engines.Quantization;

/// <summary>Weights [rows, width] as blocks along the width: packed integers, one scale per block and, when asymmetric, one zero point per block.</summary>
/// <param name="Values">[rows, blocks, block * bits / 8], the first value of a byte in its low bits.</param>
/// <param name="Scales">[rows, blocks].</param>
/// <param name="ZeroPoints">One byte per block, not packed; null when symmetric, where it is 2^(bits-1) everywhere.</param>
/// <param name="Rows">Rows of the matrix.</param>
/// <param name="Blocks">Blocks of a row, the last one padded.</param>
internal sealed record PackedBlocks(byte[] Values, float[] Scales, byte[]? ZeroPoints, int Rows, int Blocks);

/// <summary>Round-to-nearest quantization in the layout of com.microsoft.MatMulNBits: w ≈ (q − zero point) · scale.</summary>
internal static class BlockPacking
{
    public static PackedBlocks Pack(float[] weights, int rows, int width, int bits, int block, bool symmetric)
    {
        int blocks = (width + block - 1) / block, blob = block * bits / 8, top = (1 << bits) - 1, middle = 1 << (bits - 1);
        var values = new byte[(long)rows * blocks * blob];
        var scales = new float[rows * blocks];
        var zeros = symmetric ? null : new byte[rows * blocks];
        Parallel.For(0, rows, row =>
        {
            for (var b = 0; b < blocks; b++)
            {
                int start = b * block, at = row * blocks + b;
                var part = weights.AsSpan(row * width + start, Math.Min(block, width - start));
                var (scale, zero) = symmetric ? Symmetric(part, middle) : Asymmetric(part, top, middle);
                scales[at] = scale;
                if (zeros is not null)
                    zeros[at] = (byte)zero;
                for (var i = 0; i < block; i++) // past the matrix's edge the zero point itself, which stands for 0
                {
                    var q = i < part.Length && scale != 0 ? Math.Clamp((int)MathF.Round(part[i] / scale) + zero, 0, top) : zero;
                    values[at * blob + i * bits / 8] |= (byte)(q << (i * bits % 8));
                }
            }
        });
        return new(values, scales, zeros, rows, blocks);
    }

    // The weight of largest magnitude, sign included, maps to 0: -2^(bits-1) has no positive twin, so the range is used fully.
    private static (float Scale, int Zero) Symmetric(ReadOnlySpan<float> part, int middle)
    {
        float largest = 0;
        foreach (var w in part)
            largest = Math.Abs(w) > Math.Abs(largest) ? w : largest;
        return (largest / -middle, middle);
    }

    private static (float Scale, int Zero) Asymmetric(ReadOnlySpan<float> part, int top, int middle)
    {
        float low = 0, high = 0; // zero stays exact
        foreach (var w in part)
            (low, high) = (Math.Min(low, w), Math.Max(high, w));
        var scale = (high - low) / top;
        return scale == 0 ? (0, middle) : (scale, Math.Clamp((int)MathF.Round(-low / scale), 0, top));
    }

    /// <summary>Zero points [rows, blocks] packed as MatMulNBits reads them: each row starts at a byte, low bits first.</summary>
    public static byte[] PackZeroPoints(PackedBlocks packed, int bits)
    {
        var rowBytes = (packed.Blocks * bits + 7) / 8;
        var result = new byte[packed.Rows * rowBytes];
        for (var row = 0; row < packed.Rows; row++)
            for (var b = 0; b < packed.Blocks; b++)
                result[row * rowBytes + b * bits / 8] |= (byte)(packed.ZeroPoints![row * packed.Blocks + b] << (b * bits % 8));
        return result;
    }
}
