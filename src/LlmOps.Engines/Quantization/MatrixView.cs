using System.Runtime.CompilerServices;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Weights [rows, width], one row per output, read band by band from where they lie: either in that order or as [width, rows], the order of
/// a MatMul. Nothing is copied whole. The memory must stay pinned while the view is in use.
/// </summary>
internal readonly unsafe struct MatrixView(float* data, int rows, int width, bool transposed)
{
    // A band row of a transposed matrix is one strided read per input: 64 of them use whole cache lines and few pages.
    public const int Band = 64;
    private const int Tile = 16;

    public int Rows => rows;
    public int Width => width;

    /// <summary>Copies rows into <paramref name="target"/>, which is <paramref name="stride"/> wide; the rest of each target row stays as it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void CopyRows(int first, int count, Span<float> target, int stride)
    {
        if (!transposed)
        {
            for (var r = 0; r < count; r++)
                new ReadOnlySpan<float>(data + (long)(first + r) * width, width).CopyTo(target[(r * stride)..]);
            return;
        }
        fixed (float* to = target)
            for (var k0 = 0; k0 < width; k0 += Tile)
                for (var r0 = 0; r0 < count; r0 += Tile)
                    for (var k = k0; k < Math.Min(k0 + Tile, width); k++)
                    {
                        var from = data + (long)k * rows + first;
                        for (var r = r0; r < Math.Min(r0 + Tile, count); r++)
                            to[(long)r * stride + k] = from[r];
                    }
    }
}
