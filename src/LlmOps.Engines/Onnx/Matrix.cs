using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LlmOps.Engines.Onnx;

/// <summary>Matrix layout changes.</summary>
internal static class Matrix
{
    /// <summary>Writes the transpose of <paramref name="source"/> [rows, columns] into columns <paramref name="offset"/>… of a matrix that is <paramref name="stride"/> wide.</summary>
    public static void Transpose<T>(ReadOnlySpan<T> source, int rows, int columns, Span<T> target, int stride, int offset = 0) where T : unmanaged
    {
        if (source.Length < (long)rows * columns || (columns > 0 && target.Length < (long)(columns - 1) * stride + offset + rows))
            throw new ArgumentException($"A matrix of {rows} x {columns} does not fit.");
        // One cache line of each row of both sides: rows are often a power of two apart and would push each other out of the first-level cache.
        var tile = Math.Max(16, 64 / Unsafe.SizeOf<T>());
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref MemoryMarshal.GetReference(target);
        for (var c0 = 0; c0 < columns; c0 += tile)
            for (var r0 = 0; r0 < rows; r0 += tile)
            {
                int cEnd = Math.Min(c0 + tile, columns), rEnd = Math.Min(r0 + tile, rows);
                for (var c = c0; c < cEnd; c++)
                {
                    ref var line = ref Unsafe.Add(ref to, (nint)c * stride + offset);
                    for (var r = r0; r < rEnd; r++)
                        Unsafe.Add(ref line, r) = Unsafe.Add(ref from, (nint)r * columns + c);
                }
            }
    }
}
