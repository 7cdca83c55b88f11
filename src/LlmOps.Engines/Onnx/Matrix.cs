using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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
                if (Avx.IsSupported && typeof(T) == typeof(float) && cEnd - c0 == 16 && rEnd - r0 == 16)
                {
                    for (var c = c0; c < cEnd; c += 8)
                        for (var r = r0; r < rEnd; r += 8)
                            Transpose8(ref Unsafe.As<T, float>(ref Unsafe.Add(ref from, (nint)r * columns + c)), columns, ref Unsafe.As<T, float>(ref Unsafe.Add(ref to, (nint)c * stride + offset + r)), stride);
                    continue;
                }
                for (var c = c0; c < cEnd; c++)
                {
                    ref var line = ref Unsafe.Add(ref to, (nint)c * stride + offset);
                    for (var r = r0; r < rEnd; r++)
                        Unsafe.Add(ref line, r) = Unsafe.Add(ref from, (nint)r * columns + c);
                }
            }
    }

    // Eight rows of eight: pairs, then fours, then halves of the registers change places.
    private static void Transpose8(ref float from, nint columns, ref float to, nint stride)
    {
        Vector256<float> a = Row(ref from, 0), b = Row(ref from, 1), c = Row(ref from, 2), d = Row(ref from, 3), e = Row(ref from, 4), f = Row(ref from, 5), g = Row(ref from, 6), h = Row(ref from, 7);
        Vector256<float> ab = Avx.UnpackLow(a, b), ab2 = Avx.UnpackHigh(a, b), cd = Avx.UnpackLow(c, d), cd2 = Avx.UnpackHigh(c, d);
        Vector256<float> ef = Avx.UnpackLow(e, f), ef2 = Avx.UnpackHigh(e, f), gh = Avx.UnpackLow(g, h), gh2 = Avx.UnpackHigh(g, h);
        Store(ref to, 0, Avx.Shuffle(ab, cd, 0x44), Avx.Shuffle(ef, gh, 0x44));
        Store(ref to, 1, Avx.Shuffle(ab, cd, 0xEE), Avx.Shuffle(ef, gh, 0xEE));
        Store(ref to, 2, Avx.Shuffle(ab2, cd2, 0x44), Avx.Shuffle(ef2, gh2, 0x44));
        Store(ref to, 3, Avx.Shuffle(ab2, cd2, 0xEE), Avx.Shuffle(ef2, gh2, 0xEE));

        Vector256<float> Row(ref float first, int i) => Vector256.LoadUnsafe(ref Unsafe.Add(ref first, i * columns));

        void Store(ref float first, int i, Vector256<float> upper, Vector256<float> lower)
        {
            Avx.Permute2x128(upper, lower, 0x20).StoreUnsafe(ref Unsafe.Add(ref first, i * stride));
            Avx.Permute2x128(upper, lower, 0x31).StoreUnsafe(ref Unsafe.Add(ref first, (i + 4) * stride));
        }
    }
}
