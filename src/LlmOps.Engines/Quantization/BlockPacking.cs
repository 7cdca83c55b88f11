using System.Buffers;

namespace LlmOps.Engines.Quantization;

/// <summary>Weights [rows, width] as blocks along the width: packed integers, one scale per block and, when asymmetric, one zero point per block.</summary>
/// <param name="Values">[rows, blocks, block * bits / 8], the first value of a byte in its low bits.</param>
/// <param name="Scales">[rows, blocks].</param>
/// <param name="ZeroPoints">One byte per block, not packed; null when symmetric, where it is 2^(bits-1) everywhere.</param>
/// <param name="Rows">Rows of the matrix.</param>
/// <param name="Blocks">Blocks of a row, the last one padded.</param>
internal sealed record PackedBlocks(byte[] Values, float[] Scales, byte[]? ZeroPoints, int Rows, int Blocks)
{
    /// <summary>Room for a matrix; every byte of it is to be written.</summary>
    public static PackedBlocks For(int rows, int blocks, BlockRounding rounding) => new(
        GC.AllocateUninitializedArray<byte>(checked(rows * blocks * (rounding.Block * rounding.Bits / 8))), GC.AllocateUninitializedArray<float>(rows * blocks),
        rounding.Symmetric ? null : GC.AllocateUninitializedArray<byte>(rows * blocks), rows, blocks);
}

/// <summary>Round-to-nearest quantization of a matrix, block by block; rows in parallel, in bands that fit into the cache.</summary>
internal static class BlockPacking
{
    /// <summary>Packs an array [rows, width] or, when transposed, [width, rows].</summary>
    /// <param name="weights">The matrix.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="width">Inputs.</param>
    /// <param name="rounding">Bits, blocks and search.</param>
    /// <param name="transposed">Whether inputs come first.</param>
    /// <param name="importance">What a squared error at each input counts in the search; null when all count the same.</param>
    /// <param name="ct">Stops between two bands of rows.</param>
    /// <exception cref="InvalidModelException">A weight is NaN or infinite.</exception>
    public static unsafe PackedBlocks Pack(ReadOnlySpan<float> weights, int rows, int width, BlockRounding rounding, bool transposed = false, float[]? importance = null, CancellationToken ct = default)
    {
        fixed (float* data = weights)
            return Pack(new MatrixView(data, rows, width, transposed), rounding, importance, ct);
    }

    private static PackedBlocks Pack(MatrixView weights, BlockRounding rounding, float[]? importance, CancellationToken ct)
    {
        int blocks = (weights.Width + rounding.Block - 1) / rounding.Block, padded = blocks * rounding.Block, rows = weights.Rows;
        // Rows a power of two apart would fall into the same few lines of the first-level cache.
        var stride = padded + 16;
        var packed = PackedBlocks.For(rows, blocks, rounding);
        var counts = importance is null ? null : new float[padded]; // padding is exact whatever it counts
        importance?.CopyTo(counts!, 0);
        Parallel.For(0, (rows + MatrixView.Band - 1) / MatrixView.Band, new ParallelOptions { CancellationToken = ct }, () =>
        {
            var buffer = ArrayPool<float>.Shared.Rent(MatrixView.Band * stride);
            // What lies past the matrix's edge stays 0 and so becomes the zero point, which stands for 0.
            for (var row = 0; row < MatrixView.Band; row++)
                buffer.AsSpan(row * stride + weights.Width, stride - weights.Width).Clear();
            return buffer;
        }, (band, _, buffer) =>
        {
            var first = band * MatrixView.Band;
            var count = Math.Min(MatrixView.Band, rows - first);
            weights.CopyRows(first, count, buffer, stride);
            for (var row = 0; row < count; row++)
                PackRow(buffer.AsSpan(row * stride, padded), rounding, packed, first + row, counts);
            return buffer;
        }, buffer => ArrayPool<float>.Shared.Return(buffer));
        if (packed.Scales.AsSpan().IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) is >= 0 and var bad)
            throw new InvalidModelException($"Row {bad / blocks} of the weights holds NaN or infinity.");
        return packed;
    }

    private static void PackRow(ReadOnlySpan<float> row, BlockRounding rounding, PackedBlocks into, int index, ReadOnlySpan<float> importance)
    {
        int block = rounding.Block, blob = block * rounding.Bits / 8;
        for (var b = 0; b < into.Blocks; b++)
        {
            var at = index * into.Blocks + b;
            var part = row.Slice(b * block, block);
            var (scale, zero) = rounding.Fit(part, importance.IsEmpty ? default : importance.Slice(b * block, block));
            into.Scales[at] = scale;
            if (into.ZeroPoints is not null)
                into.ZeroPoints[at] = (byte)zero;
            rounding.Pack(part, scale, zero, into.Values.AsSpan(at * blob, blob));
        }
    }

    /// <summary>The weights [rows, width] as the kernel sees them.</summary>
    public static float[] Unpack(PackedBlocks packed, BlockRounding rounding, int width)
    {
        int bits = rounding.Bits, block = rounding.Block, blob = block * bits / 8, mask = rounding.Top, perByte = 8 / bits;
        var weights = new float[(long)packed.Rows * width];
        Parallel.For(0, packed.Rows, row =>
        {
            var target = weights.AsSpan(row * width, width);
            for (var i = 0; i < width; i++)
            {
                int at = row * packed.Blocks + i / block, within = i % block;
                var q = packed.Values[at * blob + within / perByte] >> (within % perByte * bits) & mask;
                target[i] = (q - (packed.ZeroPoints?[at] ?? rounding.Middle)) * packed.Scales[at];
            }
        });
        return weights;
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
