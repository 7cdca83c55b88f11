namespace LlmOps.Engines.Onnx;

/// <summary>Matrix layout changes.</summary>
internal static class Matrix
{
    private const int Tile = 64; // two 64 x 64 float tiles fit in the first-level cache

    /// <summary>Writes the transpose of <paramref name="source"/> [rows, columns] into columns <paramref name="offset"/>… of a matrix that is <paramref name="stride"/> wide.</summary>
    public static void Transpose<T>(ReadOnlySpan<T> source, int rows, int columns, Span<T> target, int stride, int offset = 0)
    {
        for (var r0 = 0; r0 < rows; r0 += Tile)
            for (var c0 = 0; c0 < columns; c0 += Tile)
                for (var c = c0; c < Math.Min(c0 + Tile, columns); c++)
                    for (var r = r0; r < Math.Min(r0 + Tile, rows); r++)
                        target[c * stride + offset + r] = source[r * columns + c];
    }
}
