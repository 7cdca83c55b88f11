using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace LlmOps.Engines.Checkpoints;

/// <summary>Casts single precision to the types of checkpoints, to the nearest value, ties to even.</summary>
internal static class FloatCast
{
    public static byte[] ToBytes(float[] values, TensorType type)
    {
        switch (type)
        {
            case TensorType.F32:
                return MemoryMarshal.AsBytes<float>(values).ToArray();
            case TensorType.F16:
                var halves = new Half[values.Length];
                TensorPrimitives.ConvertToHalf(values, halves);
                return MemoryMarshal.AsBytes<Half>(halves).ToArray();
            case TensorType.BF16:
                var upper = new ushort[values.Length];
                for (var i = 0; i < values.Length; i++)
                    upper[i] = ToBFloat16(values[i]);
                return MemoryMarshal.AsBytes<ushort>(upper).ToArray();
            default:
                throw new UnsupportedModelException($"Values cannot be cast to {type.HeaderName()}; supported: F32, F16, BF16.");
        }
    }

    /// <summary>Whether no value has all exponent bits set, which mark infinity and NaN.</summary>
    public static bool IsFinite(ReadOnlySpan<byte> bytes, TensorType type)
    {
        if (type == TensorType.F32)
        {
            foreach (var value in MemoryMarshal.Cast<byte, uint>(bytes))
                if ((value & 0x7F80_0000) == 0x7F80_0000)
                    return false;
            return true;
        }
        var exponent = type == TensorType.F16 ? (ushort)0x7C00 : (ushort)0x7F80;
        foreach (var value in MemoryMarshal.Cast<byte, ushort>(bytes))
            if ((value & exponent) == exponent)
                return false;
        return true;
    }

    // The upper half of a float; NaN keeps a bit that rounding could carry away.
    private static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}
