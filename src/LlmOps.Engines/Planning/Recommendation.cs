using System.Globalization;

namespace LlmOps.Engines.Planning;

/// <summary>How to deploy: from data centres to a laptop.</summary>
public enum DeploymentProfile
{
    /// <summary>Graphics processor, 16-bit weights as trained, users in one batch.</summary>
    DataCentreUncompressed,
    /// <summary>Graphics processor, 8-bit weights.</summary>
    GpuEightBit,
    /// <summary>Graphics processor, 4-bit weights.</summary>
    GpuFourBit,
    /// <summary>Processor, 32-bit weights as trained.</summary>
    CpuUncompressed,
    /// <summary>Processor, quantized weights, several users in one batch.</summary>
    SharedCpuQuantized,
    /// <summary>Processor, quantized weights, one user.</summary>
    SingleUserCpuQuantized,
    /// <summary>Nothing fits.</summary>
    None,
}

/// <summary>What to deploy and why.</summary>
/// <param name="Profile">The kind of deployment.</param>
/// <param name="Precision">Name of the <see cref="WeightPrecision"/>; null when nothing fits.</param>
/// <param name="Provider">ONNX Runtime's execution provider: cpu or cuda.</param>
/// <param name="Batch">Sequences to generate together.</param>
/// <param name="MeetsSpeed">Whether each user gets the tokens per second that were asked for.</param>
/// <param name="Summary">One sentence.</param>
/// <param name="Reasons">Why this and not the others, each in a sentence.</param>
public sealed record Recommendation(DeploymentProfile Profile, string? Precision, string Provider, int Batch, bool MeetsSpeed, string Summary, IReadOnlyList<string> Reasons)
{
    internal static Recommendation Of(ModelShape model, Hardware hardware, Workload workload, IReadOnlyList<PrecisionPlan> plans)
    {
        var gpu = hardware.Kind == HardwareKind.Gpu;
        var order = Candidates(hardware).Select(p => plans.First(x => x.Precision == p.Name)).ToList();
        var fitting = order.Where(p => p.Fits).ToList();
        if (fitting.Count == 0)
            return Nothing(hardware, workload, order);
        // The least compressed that is fast enough; where none is, the fastest.
        var fast = fitting.FirstOrDefault(p => p.DecodeTokensPerSecondPerUser >= workload.MinTokensPerSecond);
        var chosen = fast ?? fitting.MaxBy(p => p.DecodeTokensPerSecondPerUser)!;
        var reasons = new List<string>();
        foreach (var passed in order.TakeWhile(p => p != chosen))
            reasons.Add(passed.Fits
                ? $"{passed.Precision} fits, but gives each user {Rate(passed.DecodeTokensPerSecondPerUser)} tokens/s where {Rate(workload.MinTokensPerSecond)} are asked for."
                : $"{passed.Precision} does not fit: it needs {Bytes(passed.TotalBytes)}, and {Bytes(passed.UsableBytes)} of {Bytes(hardware.MemoryBytes)} can be counted on.");
        reasons.Add($"{chosen.Precision} needs {Bytes(chosen.TotalBytes)} of {Bytes(hardware.MemoryBytes)}: {Bytes(chosen.ResidentBytes)} of weights, {Bytes(chosen.KeyValueBytes)} of keys and values for {Users(workload.Users)}, {Bytes(chosen.WorkspaceBytes + chosen.RuntimeBytes)} for steps and process.");
        reasons.Add(fast is null
            ? $"No precision gives each user {Rate(workload.MinTokensPerSecond)} tokens/s here; this is the fastest, with {Rate(chosen.DecodeTokensPerSecondPerUser)}. Fewer users, a shorter context or more bandwidth would help."
            : $"It gives each user {Rate(chosen.DecodeTokensPerSecondPerUser)} tokens/s{(workload.Users == 1 ? "" : $" ({Rate(chosen.DecodeTokensPerSecond)} together)")}, limited by {(chosen.DecodeBound == Bound.Memory ? "memory bandwidth" : "arithmetic")}, and the first token after {Seconds(chosen.FirstTokenSeconds)}.");
        if (chosen.SaturationUsers is { } most && most < workload.Users)
            reasons.Add($"From {Users(most)} on arithmetic is the limit: a larger batch makes everybody slower and the whole no faster.");
        if (chosen.Precision is "int8" or "int4-block32" or "int4-block64")
            reasons.Add("Quantization changes what the model computes: measure its quality before it is promoted.");
        var profile = ProfileOf(chosen.Precision, gpu, workload.Users);
        return new(profile, chosen.Precision, gpu ? "cuda" : "cpu", workload.Users, fast is not null,
            $"{Words(profile)}: {chosen.Precision} on {hardware.Name}, {(workload.Users == 1 ? "one sequence at a time" : $"{workload.Users} sequences in one batch")}.", reasons);
    }

    // On a processor 16-bit floats bring nothing; on a graphics processor 32-bit floats are twice the bytes of what was trained.
    private static IEnumerable<WeightPrecision> Candidates(Hardware h) => h.Kind == HardwareKind.Cpu
        ? [WeightPrecision.Fp32, WeightPrecision.Int8, WeightPrecision.Int4Block32, WeightPrecision.Int4Block64]
        : [h.HasBf16 ? WeightPrecision.Bf16 : WeightPrecision.Fp16, WeightPrecision.Int8, WeightPrecision.Int4Block32, WeightPrecision.Int4Block64];

    private static Recommendation Nothing(Hardware hardware, Workload workload, List<PrecisionPlan> order)
    {
        var smallest = order.MinBy(p => p.TotalBytes)!;
        var reasons = new List<string> { $"The smallest, {smallest.Precision}, needs {Bytes(smallest.TotalBytes)}; {Bytes(smallest.UsableBytes)} of {hardware.Name}'s {Bytes(hardware.MemoryBytes)} can be counted on." };
        reasons.Add(smallest.MaxUsers > 0
            ? $"{smallest.Precision} has room for {Users(smallest.MaxUsers)} at this context."
            : smallest.ResidentBytes > smallest.UsableBytes ? "Its weights alone are larger than the memory: take a smaller model or more memory." : "Not even one user fits at this context: shorten it.");
        return new(DeploymentProfile.None, null, hardware.Kind == HardwareKind.Gpu ? "cuda" : "cpu", 0, false, $"Nothing fits on {hardware.Name} for {Users(workload.Users)} with {workload.Context} tokens each.", reasons);
    }

    private static DeploymentProfile ProfileOf(string precision, bool gpu, int users) => (gpu, precision) switch
    {
        (true, "int8") => DeploymentProfile.GpuEightBit,
        (true, "fp32" or "fp16" or "bf16") => DeploymentProfile.DataCentreUncompressed,
        (true, _) => DeploymentProfile.GpuFourBit,
        (false, "fp32") => DeploymentProfile.CpuUncompressed,
        _ => users == 1 ? DeploymentProfile.SingleUserCpuQuantized : DeploymentProfile.SharedCpuQuantized,
    };

    /// <summary>The profile as people say it.</summary>
    public static string Words(DeploymentProfile profile) => profile switch
    {
        DeploymentProfile.DataCentreUncompressed => "Data centre, uncompressed",
        DeploymentProfile.GpuEightBit => "Graphics processor, 8-bit weights",
        DeploymentProfile.GpuFourBit => "Graphics processor, 4-bit weights",
        DeploymentProfile.CpuUncompressed => "Processor, uncompressed",
        DeploymentProfile.SharedCpuQuantized => "Shared processor, quantized",
        DeploymentProfile.SingleUserCpuQuantized => "Single user, quantized on a processor",
        _ => "Nothing fits",
    };

    private static string Users(int users) => users == 1 ? "one user" : string.Create(CultureInfo.InvariantCulture, $"{users} users");

    private static string Rate(double value) => value.ToString(value >= 100 ? "0" : "0.#", CultureInfo.InvariantCulture);

    private static string Seconds(double seconds) => seconds switch
    {
        < 0.01 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:0.0} ms"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s"),
    };

    private static string Bytes(long bytes) => bytes switch
    {
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0} KiB"),
        < 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB"),
    };
}
