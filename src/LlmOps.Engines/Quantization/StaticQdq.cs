using System.Globalization;
using System.Text.Json.Serialization;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using LlmOps.Engines.Optimization;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// 8-bit weights and activations with ranges that are fixed beforehand: QuantizeLinear and DequantizeLinear around convolutions and
/// products, which ONNX Runtime fuses into integer kernels from level Extended on. Suits convolutional models and encoders; the activations
/// of large decoders have outlier channels, for which <see cref="DynamicInt8"/> or <see cref="Smooth"/> is better.
/// </summary>
/// <param name="Method">How ranges are found from the calibration data.</param>
/// <param name="MovingAverage">With MinMax: a moving average over samples (0.01 of each new one) instead of the extremes.</param>
/// <param name="Percentile">With Percentile: the share of values inside the range, in percent.</param>
/// <param name="Symmetric">Ranges around zero, for activations.</param>
/// <param name="Bins">Bins of a histogram's first range; 0 means the method's own: 2048 for Percentile, 128 for Entropy.</param>
/// <param name="SignedActivations">Activations from −128 to 127 instead of 0 to 255.</param>
/// <param name="PerChannel">One weight scale per output channel instead of one per tensor.</param>
/// <param name="ReduceRange">7-bit weights; null means where the processor lacks VNNI, whose predecessors saturate with 8 bits.</param>
/// <param name="OpTypes">Operators to quantize: of Conv, MatMul, Gemm, Add, Mul; null means the first three.</param>
/// <param name="Smooth">Strength α of a <see cref="SmoothQuant"/> step before, 0 to 1; null means none.</param>
/// <param name="Exclude">Nodes that stay in floating point.</param>
public sealed record StaticQdq(CalibrationMethod Method = CalibrationMethod.MinMax, bool MovingAverage = false, double Percentile = 99.999, bool Symmetric = false, int Bins = 0,
    bool SignedActivations = false, bool PerChannel = true, bool? ReduceRange = null, IReadOnlyList<string>? OpTypes = null, double? Smooth = null,
    ExclusionRules? Exclude = null) : QuantizationPass
{
    private static readonly string[] Known = ["Conv", "MatMul", "Gemm", "Add", "Mul"];

    /// <summary>
    /// Whether depthwise convolutions are quantized too. They have hardly any weights, and the ranges of their channels differ so much that
    /// they cost most of the accuracy: with one of the published models of the tests a relative error of 0.76 instead of 0.19.
    /// </summary>
    public bool Depthwise { get; init; }

    /// <summary>What to run the model with; random inputs, and a note that says so, when it is null.</summary>
    [JsonIgnore]
    public CalibrationData? Calibration { get; init; }

    /// <inheritdoc/>
    public override QuantizationPass WithCalibration(string sourceFolder, CalibrationTokens tokens) => this with { Calibration = CalibrationData.FromTokens(sourceFolder, tokens.Sequences) };

    internal override string? CalibrationHash => Calibration?.Sha256();

    /// <inheritdoc/>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        EnsureOptions();
        var data = Calibration ?? CalibrationData.Random(sourceFolder);
        if (Smooth is not { } alpha)
            return Quantize(sourceFolder, targetFolder, data, [], progress, ct);
        var smoothed = $"{Path.TrimEndingDirectorySeparator(Path.GetFullPath(targetFolder))}.smoothed";
        try
        {
            var first = new SmoothQuant(alpha, Exclude) { Calibration = data }.Run(sourceFolder, smoothed, null, ct);
            return Quantize(smoothed, targetFolder, data, first.Notes, progress, ct) is var report && first.SourceBytes > 0 ? report with { SourceBytes = first.SourceBytes } : report;
        }
        finally
        {
            if (Directory.Exists(smoothed))
                Directory.Delete(smoothed, recursive: true);
        }
    }

    private QuantizationReport Quantize(string source, string target, CalibrationData data, IReadOnlyList<string> notes, IProgress<double>? progress, CancellationToken ct)
    {
        using var rewrite = new GraphRewrite(source, target, Exclude);
        rewrite.RaiseOpset(11);
        rewrite.Notes.AddRange(notes);
        if (Calibration is null)
            rewrite.Notes.Add("Ranges come from random inputs, because no calibration data was given.");
        var plan = new QdqPlan(rewrite, OpTypes ?? Known[..3], Depthwise);
        if (plan.Nodes.Count == 0)
            throw new UnsupportedModelException($"The graph has no {string.Join(", ", OpTypes ?? Known[..3])} with constant weights that can be quantized.");

        var ranges = plan.Activations.ToDictionary(name => name, _ => new ActivationRange(Method, MovingAverage, Percentile, Symmetric, Bins > 0 ? Bins : Method == CalibrationMethod.Entropy ? 128 : 2048));
        using (var scan = new ActivationScan(rewrite.Model, plan.Activations))
            scan.Run(data.Samples, plan.Activations, (name, values, _) => ranges[name].Add(values), ct);
        progress?.Report(0.5);
        var narrow = ReduceRange ?? !CpuFeatures.HasVnni;
        if (narrow && ReduceRange is null)
            rewrite.Notes.Add("Weights have 7 bits, because this processor has no VNNI.");
        var writer = new QdqWriter(rewrite, plan, SignedActivations, PerChannel, narrow);
        writer.Write(ranges.Where(r => r.Value.Seen).ToDictionary(r => r.Key, r => r.Value.Find()), ct);
        progress?.Report(0.8);
        // A few samples show that the result computes; other inputs may lie outside of the ranges.
        rewrite.CalibrationSha256 = data.Sha256();
        return rewrite.Finish(Recipe, ct, CheckInputs ?? data.Samples.Take(4), writer.Quantized);
    }

    private void EnsureOptions()
    {
        if (Percentile is not (> 50 and <= 100))
            throw new ArgumentException($"Percentile is {Percentile.ToString(CultureInfo.InvariantCulture)}; it is a share in percent, above 50 and at most 100.", nameof(Percentile));
        if (Bins is not (0 or >= 128 and <= 1 << 20) || Bins % 4 != 0)
            throw new ArgumentException("Bins must be 0, or a multiple of 4 from 128 on.", nameof(Bins));
        if (MovingAverage && Method != CalibrationMethod.MinMax)
            throw new ArgumentException("MovingAverage goes with Method MinMax only.", nameof(MovingAverage));
        if ((OpTypes ?? []).FirstOrDefault(op => !Known.Contains(op)) is { } unknown)
            throw new ArgumentException($"'{unknown}' is not quantized by this pass; it knows {string.Join(", ", Known)}.", nameof(OpTypes));
        (Exclude ?? ExclusionRules.None).EnsureValid();
    }

    /// <summary>Equal options; the calibration data does not count.</summary>
    public bool Equals(StaticQdq? other) => other is not null && Recipe == other.Recipe;

    /// <inheritdoc/>
    public override int GetHashCode() => Recipe.GetHashCode(StringComparison.Ordinal);
}
