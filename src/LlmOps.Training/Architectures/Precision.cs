using System.Runtime.Intrinsics.X86;
using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Architectures;

/// <summary>Number format of matrix products. Everything else, the weights and their gradients included, is float32 either way.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Precision>))]
public enum Precision
{
    /// <summary>24 bits of mantissa.</summary>
    Float32,
    /// <summary>Factors and results rounded to 8 bits of mantissa, sums in float32: about twice as fast on processors with instructions for it.</summary>
    BFloat16,
    /// <summary>
    /// 11 bits of mantissa and a narrow range, on GPUs: the loss is scaled up so that small gradients do not vanish (<see cref="LossScaler"/>). Half-precision products
    /// run on every NVIDIA GPU since Volta, bfloat16 ones since Ampere.
    /// </summary>
    Float16,
}

/// <summary>Products of activations and weights in a chosen precision.</summary>
internal static class Product
{
    // CPUID leaf 7, subleaf 1, EAX bit 5: AVX512_BF16.
    private const int BFloat16Bit = 1 << 5;

    /// <summary>Whether this processor multiplies bfloat16 in hardware; without it such products are slower than float32.</summary>
    public static bool BFloat16IsFast { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax & BFloat16Bit) != 0;

    /// <summary>x · Wᵀ in float32: [n, in] and [out, in] to [n, out].</summary>
    public static Tensor Of(Tensor x, Tensor weight, Precision precision) => precision == Precision.Float32
        ? F.linear(x, weight)
        : F.linear(x.to_type(Format(precision)), weight.to_type(Format(precision))).to_type(ScalarType.Float32);

    private static ScalarType Format(Precision precision) => precision == Precision.Float16 ? ScalarType.Float16 : ScalarType.BFloat16;

    /// <summary>Refuses a precision that the device lacks.</summary>
    /// <exception cref="ArgumentException">The device has no instructions for it.</exception>
    public static void Validate(Precision precision, TrainingDevice device)
    {
        if (device == TrainingDevice.Cuda) return;
        if (precision == Precision.Float16) throw new ArgumentException("Precision is Float16, which is for the device cuda. On a processor choose Float32, or BFloat16 where it has AVX512-BF16.");
        if (precision == Precision.BFloat16 && !BFloat16IsFast)
            throw new ArgumentException("Precision is BFloat16; this processor has no instructions for it (AVX512-BF16), so it would be slower. Choose Float32.");
    }
}
