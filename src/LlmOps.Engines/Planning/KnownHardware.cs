namespace LlmOps.Engines.Planning;

/// <summary>
/// Machines by name. Graphics processors: NVIDIA's data sheets, dense rates without sparsity, fp16 with fp32 sums; the processors are
/// examples computed from clock, vector width and memory channels. Peaks, for planning; a machine at hand is measured by <see cref="MachineProbe"/>.
/// </summary>
public static class KnownHardware
{
    private const double G = 1e9, T = 1e12;
    private const long GiB = 1L << 30;

    /// <summary>Processors first, then graphics processors from small to large.</summary>
    public static IReadOnlyList<Hardware> All { get; } =
    [
        // 8 cores × 4 GHz × 32 fp32 operations a cycle (two 256-bit fused multiply-adds), 4 times as many in int8 (VNNI); 2 channels of DDR5-5600.
        new("cpu-desktop-8", HardwareKind.Cpu, 32 * GiB, 89.6 * G, 1.02 * T, 1.02 * T, 4.1 * T, HardwareSource.DataSheet) { Cores = 8, Notes = ["8 cores at 4 GHz with AVX2 and VNNI, two channels of DDR5-5600"] },
        // 32 cores × 3 GHz × 64 (two 512-bit fused multiply-adds); 8 channels of DDR5-4800.
        new("cpu-server-32", HardwareKind.Cpu, 256 * GiB, 307.2 * G, 6.1 * T, 6.1 * T, 24.6 * T, HardwareSource.DataSheet) { Cores = 32, Notes = ["32 cores at 3 GHz with AVX-512 and VNNI, eight channels of DDR5-4800"] },
        Gpu("t4", 16, 320, 8.1, 65, 130) with { HasBf16 = false },
        Gpu("l4", 24, 300, 30.3, 121, 242),
        Gpu("a10", 24, 600, 31.2, 125, 250),
        Gpu("rtx-3090", 24, 936, 35.6, 71, 284),
        Gpu("rtx-4090", 24, 1008, 82.6, 165, 660),
        Gpu("l40s", 48, 864, 91.6, 362, 733),
        Gpu("a100-40gb", 40, 1555, 19.5, 312, 624),
        Gpu("a100-80gb", 80, 2039, 19.5, 312, 624),
        Gpu("h100-80gb", 80, 3350, 67, 989, 1979),
        Gpu("h200-141gb", 141, 4800, 67, 989, 1979),
    ];

    private static Hardware Gpu(string name, int gigabytes, double bandwidth, double fp32, double half, double int8) =>
        new(name, HardwareKind.Gpu, gigabytes * 1_000_000_000L, bandwidth * G, fp32 * T, half * T, int8 * T, HardwareSource.DataSheet);
}
