using System.Runtime.Intrinsics.X86;
using System.Runtime.Intrinsics.Arm;
using System.Text.Json;

namespace LlmOps.Engines.Optimization;

/// <summary>Kept as <c>optimization.json</c> beside an offline-optimised graph: under which conditions it was made.</summary>
/// <param name="OnnxRuntime">Version of ONNX Runtime.</param>
/// <param name="Provider">Execution provider that the graph was optimised for.</param>
/// <param name="Level">Basic, Extended, Layout or All.</param>
/// <param name="CpuFeatures">Instruction sets of the processor, of those that ONNX Runtime's kernels choose by.</param>
public sealed record OptimizationRecord(string OnnxRuntime, string Provider, string Level, IReadOnlyList<string> CpuFeatures)
{
    internal const string FileName = "optimization.json";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static IReadOnlyList<string> FeaturesHere() =>
    [
        .. new (string Name, bool Supported)[]
        {
            ("AVX", Avx.IsSupported), ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported), ("AVX-VNNI", AvxVnni.IsSupported),
            ("AVX512F", Avx512F.IsSupported), ("AVX512BW", Avx512BW.IsSupported), ("AVX512VBMI", Avx512Vbmi.IsSupported),
            ("NEON", AdvSimd.IsSupported), ("DOTPROD", Dp.IsSupported),
        }.Where(feature => feature.Supported).Select(feature => feature.Name),
    ];

    internal void Write(string folder) => File.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Indented));

    /// <summary>The record of a folder, or null when its graph was not optimised offline.</summary>
    /// <exception cref="InvalidModelException">The record is damaged.</exception>
    public static OptimizationRecord? Find(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<OptimizationRecord>(File.ReadAllText(path)) : null;
        }
        catch (JsonException e)
        {
            throw new InvalidModelException($"{FileName} is damaged: {e.Message}");
        }
    }

    // Layout and All may bind a graph to one processor family; Basic and Extended are portable.
    internal static void EnsureUsableHere(string folder)
    {
        if (Find(folder) is { Level: "Layout" or "All" } record && !record.CpuFeatures.SequenceEqual(FeaturesHere()))
            throw new InvalidModelException($"The graph was optimised at level {record.Level} for a processor with {string.Join(", ", record.CpuFeatures)}; this one has {string.Join(", ", FeaturesHere())}. Optimise it here, or use level Extended.");
    }
}
