using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace LlmOps.Engines.Onnx;

/// <summary>32-bit floats as 16-bit ones and back.</summary>
internal static class HalfFloats
{
    public const float LargestHalf = 65504, SmallestHalf = 5.9604645e-8f;

    /// <summary>Nearest, ties to even; a NaN stays one.</summary>
    public static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)(bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }

    public static float FromBFloat16(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <summary>
    /// As float16 with the clamps of ONNX Runtime's converter: what would become 0 or infinite becomes the nearest value that is neither;
    /// 0, infinity and NaN stay. Returns how many were clamped to the largest value.
    /// </summary>
    public static int ToHalf(ReadOnlySpan<float> values, Span<ushort> target)
    {
        var clamped = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var (value, size) = (values[i], Math.Abs(values[i]));
            if (size is > 0 and < SmallestHalf)
                value = MathF.CopySign(SmallestHalf, value);
            else if (size > LargestHalf && float.IsFinite(value))
                (value, clamped) = (MathF.CopySign(LargestHalf, value), clamped + 1);
            target[i] = BitConverter.HalfToUInt16Bits((Half)value);
        }
        return clamped;
    }

    /// <summary>Values of any floating-point tensor as 32-bit floats.</summary>
    public static float[] Widen(ReadOnlySpan<byte> bytes, int type)
    {
        switch (type)
        {
            case ElementTypes.Float:
                return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
            case ElementTypes.Double:
                var doubles = MemoryMarshal.Cast<byte, double>(bytes);
                var narrowed = new float[doubles.Length];
                TensorPrimitives.ConvertTruncating<double, float>(doubles, narrowed);
                return narrowed;
            case ElementTypes.Float16:
                var halves = MemoryMarshal.Cast<byte, Half>(bytes);
                var widened = new float[halves.Length];
                TensorPrimitives.ConvertToSingle(halves, widened);
                return widened;
            case ElementTypes.BFloat16:
                var brains = MemoryMarshal.Cast<byte, ushort>(bytes);
                var result = new float[brains.Length];
                for (var i = 0; i < result.Length; i++)
                    result[i] = FromBFloat16(brains[i]);
                return result;
            default:
                throw new UnsupportedModelException($"{ElementTypes.Name(type)} is no floating-point type that is read here.");
        }
    }
}
