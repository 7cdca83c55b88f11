using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace LlmOps.Engines.Optimization;

/// <summary>Instruction sets of this processor, of those that ONNX Runtime's kernels choose by.</summary>
internal static class CpuFeatures
{
    // .NET has no property for these three; bits of CPUID leaf 7.
    private static readonly (int Ecx, int Edx) Leaf7 = X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 ? (X86Base.CpuId(7, 0).Ecx, X86Base.CpuId(7, 0).Edx) : default;
    private static readonly int Leaf71 = X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && X86Base.CpuId(7, 0).Eax >= 1 ? X86Base.CpuId(7, 1).Eax : 0;

    private static bool Avx512Vnni => Avx512F.IsSupported && (Leaf7.Ecx >> 11 & 1) == 1;

    /// <summary>
    /// Whether products of 8-bit activations and weights are exact. Before VNNI, x86 adds two of them in 16 bits, which can saturate; ARM
    /// widens.
    /// </summary>
    public static bool HasVnni => Avx512Vnni || AvxVnni.IsSupported || !X86Base.IsSupported;

    public static IReadOnlyList<string> Here { get; } =
    [
        .. new (string Name, bool Supported)[]
        {
            ("AVX", Avx.IsSupported), ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported), ("AVX-VNNI", AvxVnni.IsSupported),
            ("AVX512F", Avx512F.IsSupported), ("AVX512BW", Avx512BW.IsSupported), ("AVX512VBMI", Avx512Vbmi.IsSupported), ("AVX512-VNNI", Avx512Vnni),
            ("AVX512-BF16", Avx512F.IsSupported && (Leaf71 >> 5 & 1) == 1), ("AMX-INT8", (Leaf7.Edx >> 25 & 1) == 1),
            ("NEON", AdvSimd.IsSupported), ("DOTPROD", Dp.IsSupported),
        }.Where(feature => feature.Supported).Select(feature => feature.Name),
    ];
}
