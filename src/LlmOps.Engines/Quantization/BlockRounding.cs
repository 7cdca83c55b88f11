using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json.Serialization;

namespace LlmOps.Engines.Quantization;

/// <summary>How the scale of a block of weights is found.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ScaleSearch>))]
public enum ScaleSearch
{
    /// <summary>From the block's smallest and largest weight; nothing is clipped.</summary>
    MinMax,

    /// <summary>The range shrunk by the factor, of 1 to 0.7 in steps of 0.025, with the least squared error: a rare large weight is clipped for the sake of the others.</summary>
    Clip,

    /// <summary>
    /// As in k-quants: ranges from 0.7 to 1.05 and neighbouring zero points, each with its scale refitted to the rounded values by least squares.
    /// Zero points stay integers: with floating-point ones ONNX Runtime leaves its fast kernels.
    /// </summary>
    Refit,
}

/// <summary>Rounds one block of weights in the layout of com.microsoft.MatMulNBits: w ≈ (q − zero point) · scale, 0 ≤ q &lt; 2^bits.</summary>
/// <param name="Bits">2, 4 or 8.</param>
/// <param name="Block">Weights of a block: a multiple of 16.</param>
/// <param name="Symmetric">The zero point is 2^(bits−1).</param>
/// <param name="Search">How scales are found.</param>
internal readonly record struct BlockRounding(int Bits, int Block, bool Symmetric, ScaleSearch Search = ScaleSearch.MinMax)
{
    // AggressiveOptimization below: vectors in code that is not optimised yet are many times slower than plain loops, and a small model is done before tiering is.
    private const int Lanes = 16;

    public int Top => (1 << Bits) - 1;
    public int Middle => 1 << (Bits - 1);

    /// <summary>Size of a packed matrix with its scales and zero points.</summary>
    public long Bytes(int rows, int width)
    {
        long blocks = (width + Block - 1) / Block;
        return rows * (blocks * (Block * Bits / 8 + sizeof(float)) + (Symmetric ? 0 : (blocks * Bits + 7) / 8));
    }

    /// <summary>Scale and zero point of a block. A scale of 0 stands for a block of zeros; NaN or infinity in the weights shows in the scale.</summary>
    /// <param name="weights">The block, padded with zeros.</param>
    /// <param name="importance">What a squared error of each weight counts; empty when all count the same.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public (float Scale, int Zero) Fit(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance = default)
    {
        var (low, high) = Range(weights);
        var plain = At(low, high, 1);
        if (Search == ScaleSearch.MinMax || plain.Scale == 0 || !float.IsFinite(plain.Scale))
            return plain;
        var (best, least) = (plain, float.PositiveInfinity);
        for (var step = Search == ScaleSearch.Refit ? -2 : 0; step <= 12; step++)
        {
            var (scale, zero) = At(low, high, 1 - 0.025f * step);
            var reach = Search == ScaleSearch.Refit && !Symmetric ? 1 : 0;
            for (var z = Math.Max(0, zero - reach); z <= Math.Min(Top, zero + reach); z++)
            {
                var candidate = Search == ScaleSearch.Refit ? Refitted(weights, importance, scale, z) : scale;
                var error = Error(weights, importance, candidate, z);
                if (error < least)
                    (best, least) = ((candidate, z), error);
            }
        }
        return best;
    }

    // Symmetric: the weight of largest magnitude, sign included, maps to 0, because -2^(bits-1) has no positive twin and the range is then used fully.
    private (float Scale, int Zero) At(float low, float high, float ratio)
    {
        if (Symmetric)
            return (ratio * (high > -low ? high : low) / -Middle, Middle);
        var scale = ratio * (high - low) / Top;
        return scale == 0 ? (0, Middle) : (scale, Math.Clamp((int)MathF.Round(-low * ratio / scale), 0, Top));
    }

    // Zero is always inside: it stays exact.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float Low, float High) Range(ReadOnlySpan<float> weights)
    {
        ref var first = ref MemoryMarshal.GetReference(weights);
        Vector512<float> low = default, high = default;
        for (var i = 0; i < weights.Length; i += Lanes)
        {
            var w = Vector512.LoadUnsafe(ref first, (nuint)i);
            (low, high) = (Vector512.Min(low, w), Vector512.Max(high, w));
        }
        var (least, most) = (low[0], high[0]);
        for (var i = 1; i < Lanes; i++)
            (least, most) = (MathF.Min(least, low[i]), MathF.Max(most, high[i]));
        return (least, most);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Levels(Vector512<float> weights, Vector512<float> inverse, Vector512<float> low, Vector512<float> high) =>
        Vector512.Min(Vector512.Max(Vector512.Round(weights * inverse), low), high);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float Error(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, float scale, int zero)
    {
        ref var first = ref MemoryMarshal.GetReference(weights);
        ref var counts = ref MemoryMarshal.GetReference(importance);
        Vector512<float> sum = default, step = Vector512.Create(scale), inverse = Vector512.Create(1 / scale), low = Vector512.Create((float)-zero), high = Vector512.Create((float)(Top - zero));
        for (var i = 0; i < weights.Length; i += Lanes)
        {
            var w = Vector512.LoadUnsafe(ref first, (nuint)i);
            var d = w - Levels(w, inverse, low, high) * step;
            sum += importance.IsEmpty ? d * d : d * d * Vector512.LoadUnsafe(ref counts, (nuint)i);
        }
        return Vector512.Sum(sum);
    }

    // With the levels q fixed, Σ c (w − s q)² is least at s = Σ c w q / Σ c q².
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float Refitted(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, float scale, int zero)
    {
        ref var first = ref MemoryMarshal.GetReference(weights);
        ref var counts = ref MemoryMarshal.GetReference(importance);
        Vector512<float> cross = default, square = default, inverse = Vector512.Create(1 / scale), low = Vector512.Create((float)-zero), high = Vector512.Create((float)(Top - zero));
        for (var i = 0; i < weights.Length; i += Lanes)
        {
            var w = Vector512.LoadUnsafe(ref first, (nuint)i);
            var q = Levels(w, inverse, low, high);
            var counted = importance.IsEmpty ? q : q * Vector512.LoadUnsafe(ref counts, (nuint)i);
            (cross, square) = (cross + counted * w, square + counted * q);
        }
        var refitted = Vector512.Sum(cross) / Vector512.Sum(square);
        return float.IsFinite(refitted) && refitted != 0 ? refitted : scale;
    }

    /// <summary>Rounds half to even and writes Block · Bits / 8 bytes, the first value of a byte in its low bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Pack(ReadOnlySpan<float> weights, float scale, int zero, Span<byte> target)
    {
        ref var first = ref MemoryMarshal.GetReference(weights);
        ref var to = ref MemoryMarshal.GetReference(target);
        Vector512<float> step = Vector512.Create(scale == 0 ? 1 : scale), low = Vector512.Create((float)-zero), high = Vector512.Create((float)(Top - zero)), offset = Vector512.Create((float)zero);
        for (var i = 0; i < weights.Length; i += Lanes)
        {
            var levels = Vector512.Min(Vector512.Max(Vector512.Round(Vector512.LoadUnsafe(ref first, (nuint)i) / step), low), high) + offset;
            Store(Bytes(Vector512.ConvertToInt32(levels)), ref Unsafe.Add(ref to, i * Bits / 8));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Bytes(Vector512<int> values)
    {
        var shorts = Vector256.Narrow(values.GetLower(), values.GetUpper());
        return Vector128.Narrow(shorts.GetLower(), shorts.GetUpper()).AsByte();
    }

    // 16 values of one byte each; neighbours are moved together inside 16 bits, and for 2 bits once more inside 32.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Store(Vector128<byte> values, ref byte to)
    {
        if (Bits == 8)
        {
            values.StoreUnsafe(ref to);
            return;
        }
        var pairs = values.AsUInt16();
        if (Bits == 4)
        {
            pairs = (pairs | (pairs >>> 4)) & Vector128.Create((ushort)0xFF);
            Unsafe.WriteUnaligned(ref to, Vector128.Narrow(pairs, pairs).AsUInt64()[0]);
            return;
        }
        pairs = (pairs | (pairs >>> 6)) & Vector128.Create((ushort)0xF);
        var quads = (pairs.AsUInt32() | (pairs.AsUInt32() >>> 12)) & Vector128.Create(0xFFu);
        var halves = Vector128.Narrow(quads, quads);
        Unsafe.WriteUnaligned(ref to, Vector128.Narrow(halves, halves).AsUInt32()[0]);
    }

    /// <summary>One value: the level that a weight becomes, as a weight again.</summary>
    public float Restore(float weight, float scale, int zero) =>
        scale == 0 ? 0 : Math.Clamp(MathF.Round(weight / scale), -zero, Top - zero) * scale;

    /// <summary>A block as the kernel will see it; may be done in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Restore(ReadOnlySpan<float> weights, float scale, int zero, Span<float> target)
    {
        ref var first = ref MemoryMarshal.GetReference(weights);
        ref var to = ref MemoryMarshal.GetReference(target);
        Vector512<float> step = Vector512.Create(scale), divisor = Vector512.Create(scale == 0 ? 1 : scale), low = Vector512.Create((float)-zero), high = Vector512.Create((float)(Top - zero));
        for (var i = 0; i < weights.Length; i += Lanes)
            (Vector512.Min(Vector512.Max(Vector512.Round(Vector512.LoadUnsafe(ref first, (nuint)i) / divisor), low), high) * step).StoreUnsafe(ref to, (nuint)i);
    }
}
