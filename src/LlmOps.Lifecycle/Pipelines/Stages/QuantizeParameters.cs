using System.Numerics;

namespace LlmOps.Lifecycle.Pipelines.Stages;

/// <summary>The named ways to make a variant; the name is also the variant's.</summary>
/// <param name="Name">Name of method and variant.</param>
/// <param name="Precision">Shown with the variant.</param>
/// <param name="NeedsCalibration">Looks at activations, so it needs texts.</param>
public sealed record QuantizationMethod(string Name, string Precision, bool NeedsCalibration)
{
    public static IReadOnlyList<QuantizationMethod> All { get; } =
    [
        new("int8", "int8", false), new("int8-smooth", "int8", true), new("int8-static", "int8", true), new("int8-blocks", "int8", false),
        new("int4", "int4", false), new("int4-prefill", "int4+int8", false), new("int4-refit", "int4", false), new("int4-mixed", "int4/int8", false), new("int4-awq", "int4", true), new("int4-gptq", "int4", true),
        new("int2-awq", "int2/int8", true), new("fp16", "fp16", false), new("bf16", "bf16", false),
    ];

    public static QuantizationMethod Get(string name) => All.First(m => m.Name == name);
}

public sealed record QuantizeParameters : StageParameters
{
    [Field("Version whose variant is quantized.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Variant to start from.")]
    public string Variant { get; init; } = "fp32";
    [Field("Variants to make.", Allowed = ["int8", "int8-smooth", "int8-static", "int8-blocks", "int4", "int4-prefill", "int4-refit", "int4-mixed", "int4-awq", "int4-gptq", "int2-awq", "fp16", "bf16"])]
    public IReadOnlyList<string> Methods { get; init; } = ["int8", "int4"];
    [Field("Weights that share one scale in 2, 4 and 8 bits in blocks.", Min = 16, Max = 256)]
    public int BlockSize { get; init; } = 32;
    [Field("One scale for each output channel in int8.")]
    public bool PerChannel { get; init; } = true;
    [Field("Corpus whose training texts show the activations (int8-smooth, int8-static, int4-awq, int4-gptq, int2-awq; also the overflow scan of fp16) and whose held-out texts measure what each variant changed; empty for neither.", Reference = true)]
    public string Calibration { get; init; } = "";
    [Field("Texts to calibrate on.", Unit = "rows", Min = 8, Max = 4096)]
    public int CalibrationRows { get; init; } = 128;
    [Field("Held-out texts to compare on.", Unit = "rows", Min = 8, Max = 10_000)]
    public int ComparisonRows { get; init; } = 200;
    [Field("Nodes that stay as they are: regular expressions on their names, for example layers\\.0/mlp.")]
    public IReadOnlyList<string> Exclude { get; init; } = [];

    public override IEnumerable<FieldProblem> Problems()
    {
        if (!BitOperations.IsPow2(BlockSize))
            yield return new("block_size", $"{BlockSize} is no power of two. Allowed: 16, 32, 64, 128, 256.");
        if (Methods.Count == 0)
            yield return new("methods", "the list is empty: nothing would be made.");
        if (Calibration.Length == 0 && Methods.FirstOrDefault(name => QuantizationMethod.All.Any(m => m.Name == name && m.NeedsCalibration)) is { } method)
            yield return new("calibration", $"{method} looks at activations and needs texts: name a corpus.");
    }
}

public sealed record SearchVariantParameters : StageParameters
{
    [Field("Version whose variant is the source.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Variant to start from.")]
    public string Variant { get; init; } = "fp32";
    [Field("Corpus: its training texts calibrate, its held-out texts measure.", Required = true, Reference = true)]
    public string Corpus { get; init; } = "";
    [Field("What the best variant is best at.", Allowed = ["smallest", "fastest-decode", "fastest-prefill", "closest"])]
    public string Objective { get; init; } = "smallest";
    [Field("Largest increase of bits per byte over the source; the upper end of its interval counts. 0 for no limit.", Unit = "%", Min = 0, Max = 100)]
    public double MaxIncreasePercent { get; init; } = 1;
    [Field("Smallest share of positions where both find the same token most likely; 0 for no limit.", Unit = "%", Min = 0, Max = 100)]
    public double MinSameTopPercent { get; init; }
    [Field("Largest size; 0 for no limit.", Unit = "MB", Min = 0, Max = 1_000_000)]
    public double MaxMegabytes { get; init; }
    [Field("Most candidates to make.", Min = 1, Max = 100)]
    public int MaxCandidates { get; init; } = 20;
    [Field("No candidate is begun after this time.", Unit = "min", Min = 1, Max = 1440)]
    public int MaxMinutes { get; init; } = 60;
    [Field("Fresh processes that measure the speed of each candidate; 0 leaves speed out.", Min = 0, Max = 20)]
    public int ProbeRepeats { get; init; } = 3;
    [Field("Texts to calibrate on.", Unit = "rows", Min = 8, Max = 4096)]
    public int CalibrationRows { get; init; } = 128;
    [Field("Held-out texts to compare on.", Unit = "rows", Min = 8, Max = 10_000)]
    public int ComparisonRows { get; init; } = 200;
    [Field("Which candidates become variants of the version.", Allowed = ["best", "front", "all"])]
    public string Keep { get; init; } = "front";

    public override IEnumerable<FieldProblem> Problems()
    {
        if (Objective.StartsWith("fastest", StringComparison.Ordinal) && ProbeRepeats == 0)
            yield return new("probe_repeats", $"the objective {Objective} needs measured speed: set 1 or more.");
    }
}
