namespace LlmOps.Engines.Planning;

/// <summary>What computes.</summary>
public enum HardwareKind
{
    /// <summary>Processor cores with main memory.</summary>
    Cpu,
    /// <summary>A graphics processor with memory of its own.</summary>
    Gpu,
}

/// <summary>Where the figures of a <see cref="Hardware"/> come from.</summary>
public enum HardwareSource
{
    /// <summary>Measured by <see cref="MachineProbe"/>.</summary>
    Measured,
    /// <summary>The maker's data sheet: peaks that no program reaches.</summary>
    DataSheet,
    /// <summary>Typed in by a person, taken as peaks.</summary>
    Given,
}

/// <summary>The limits of a machine. Rates are peaks; how much of a peak a decoder reaches is said by <see cref="FitPlanner"/>.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Kind">Processor or graphics processor.</param>
/// <param name="MemoryBytes">Memory that the model may use.</param>
/// <param name="BandwidthBytesPerSecond">Reading this memory.</param>
/// <param name="Fp32OperationsPerSecond">Multiply and add count as two.</param>
/// <param name="HalfOperationsPerSecond">fp16 and bf16 with fp32 sums. On a processor ONNX Runtime computes them in fp32, so this is the same there.</param>
/// <param name="Int8OperationsPerSecond">8-bit products.</param>
/// <param name="Source">Where the figures come from.</param>
public sealed record Hardware(string Name, HardwareKind Kind, long MemoryBytes, double BandwidthBytesPerSecond, double Fp32OperationsPerSecond, double HalfOperationsPerSecond,
    double Int8OperationsPerSecond, HardwareSource Source)
{
    /// <summary>Cores that compute; 0 when not known, as for graphics processors.</summary>
    public int Cores { get; init; }
    /// <summary>What to know about the figures, in words.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
    /// <summary>False where bf16 has no arithmetic of its own (before NVIDIA's Ampere).</summary>
    public bool HasBf16 { get; init; } = true;

    /// <summary>Says what makes these figures impossible, or null.</summary>
    public string? FindProblem()
    {
        foreach (var (name, value) in new[]
        {
            ("memory", MemoryBytes), ("bandwidth", BandwidthBytesPerSecond), ("fp32 rate", Fp32OperationsPerSecond), ("fp16 rate", HalfOperationsPerSecond), ("int8 rate", Int8OperationsPerSecond),
        })
        {
            if (!(value > 0) || value > 1e18)
                return $"{name} is {value}; it has to be positive.";
        }
        return null;
    }
}
