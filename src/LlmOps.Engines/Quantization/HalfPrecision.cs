using System.Text.Json.Serialization;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// 16-bit floats: weights and activations in float16 or bfloat16, except where that would overflow, lose what matters, or not run. The
/// clamps and the operators that stay in 32 bits are those of ONNX Runtime's converter. Sums of squares stay too: 256² is out of range.
/// </summary>
/// <param name="BFloat16">bfloat16, which has the range of 32-bit floats and 8 bits of precision, instead of float16 with 11.</param>
/// <param name="KeepIoTypes">Inputs and outputs of the graph stay 32-bit floats, so that callers need not change.</param>
/// <param name="HalfCache">The key/value cache of a decoder (inputs <c>past…</c>, outputs <c>present…</c>) gets 16 bits; otherwise attention stays in 32 bits with its cache.</param>
/// <param name="NormsAndSoftmaxInFloat">Norms and softmax stay in 32 bits; the kernels for 16 bits add up in 32 bits anyway.</param>
/// <param name="OverflowLimit">With float16: nodes that made or read a larger magnitude during the scan stay in 32 bits; float16 ends at 65504.</param>
/// <param name="Exclude">Nodes that stay in 32 bits.</param>
public sealed record HalfPrecision(bool BFloat16 = false, bool KeepIoTypes = true, bool HalfCache = false, bool NormsAndSoftmaxInFloat = false,
    double OverflowLimit = 30000, ExclusionRules? Exclude = null) : QuantizationPass
{
    /// <summary>What to run the overflow scan with; random inputs, and a note that says so, when it is null.</summary>
    [JsonIgnore]
    public CalibrationData? Calibration { get; init; }

    internal int Type => BFloat16 ? ElementTypes.BFloat16 : ElementTypes.Float16;

    /// <inheritdoc/>
    public override QuantizationPass WithCalibration(string sourceFolder, CalibrationTokens tokens) =>
        BFloat16 ? this : this with { Calibration = CalibrationData.FromTokens(sourceFolder, tokens.Sequences) };

    internal override string? CalibrationHash => Calibration?.Sha256();

    /// <inheritdoc/>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        if (OverflowLimit is not (> 0 and <= 65504))
            throw new ArgumentException("OverflowLimit must be above 0 and at most 65504.");
        // Excluded nodes are 32-bit islands here, with casts around them, so the rules are the plan's to apply.
        (Exclude ?? ExclusionRules.None).EnsureValid();
        using var rewrite = new GraphRewrite(sourceFolder, targetFolder);
        if (BFloat16 && rewrite.Model.Proto.Opset() < 13)
            throw new UnsupportedModelException($"{rewrite.Model.Label} uses opset {rewrite.Model.Proto.Opset()}; ONNX has bfloat16 from 13 on. Use float16.");
        var data = BFloat16 ? null : Calibration ?? CalibrationData.Random(sourceFolder, 2);
        var plan = new HalfPlan(rewrite, this, data is null ? [] : Overflows(rewrite, data, ct));
        progress?.Report(0.4);
        if (plan.Half.Count == 0 && !plan.StoresHalf)
            throw new UnsupportedModelException("No node of the graph computes with 32-bit floats that could have 16 bits.");
        new HalfWriter(rewrite, this, plan).Write(ct);
        progress?.Report(0.8);
        rewrite.CalibrationSha256 = Calibration?.Sha256();
        return rewrite.Finish(Recipe, ct, CheckInputs ?? Calibration?.Samples.Take(4), plan.Half.Count);
    }

    private Dictionary<string, double> Overflows(GraphRewrite rewrite, CalibrationData data, CancellationToken ct)
    {
        if (Calibration is null)
            rewrite.Notes.Add("The overflow scan used random inputs, because no calibration data was given.");
        var names = rewrite.Model.Proto.Graph.Node.SelectMany(n => n.Output).Concat(rewrite.Model.Proto.Graph.Input.Select(i => i.Name)).Where(n => n.Length > 0).ToHashSet();
        var found = new Dictionary<string, double>();
        using var scan = new ActivationScan(rewrite.Model, names);
        scan.Run(data.Samples, names, (name, values, _) =>
        {
            double largest = 0;
            foreach (var value in values)
                if (float.IsFinite(value)) // an infinity, as in a mask, is one in 16 bits too
                    largest = Math.Max(largest, Math.Abs(value));
            if (largest > OverflowLimit)
                found[name] = Math.Max(largest, found.GetValueOrDefault(name));
        }, ct);
        return found;
    }

    /// <summary>Equal options; the calibration data does not count.</summary>
    public bool Equals(HalfPrecision? other) => other is not null && Recipe == other.Recipe;

    /// <inheritdoc/>
    public override int GetHashCode() => Recipe.GetHashCode(StringComparison.Ordinal);

}
