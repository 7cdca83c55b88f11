using System.Numerics.Tensors;
using System.Text.Json.Serialization;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Moves outliers from activations to weights before an 8-bit quantization: channel j of a product's input is divided by
/// s_j = max|X_j|^α / max|W_j|^(1−α) and row j of the weights multiplied by it (Xiao et al. 2022). The division goes into the norm or the
/// product before where the graph allows, otherwise into a Mul. The result computes the same as its source, in 32-bit floats.
/// </summary>
/// <param name="Alpha">Share of the difficulty that the weights take over, 0 to 1.</param>
/// <param name="Exclude">Products that stay as they are.</param>
public sealed record SmoothQuant(double Alpha = 0.5, ExclusionRules? Exclude = null) : QuantizationPass
{
    /// <summary>What to run the model with; random inputs, and a note that says so, when it is null.</summary>
    [JsonIgnore]
    public CalibrationData? Calibration { get; init; }

    /// <inheritdoc/>
    public override QuantizationPass WithCalibration(string sourceFolder, CalibrationTokens tokens) => this with { Calibration = CalibrationData.FromTokens(sourceFolder, tokens.Sequences) };

    internal override string? CalibrationHash => Calibration?.Sha256();

    /// <inheritdoc/>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        if (Alpha is not (>= 0 and <= 1))
            throw new ArgumentException("Alpha must be from 0 to 1.");
        using var rewrite = new GraphRewrite(sourceFolder, targetFolder, Exclude);
        var products = SmoothProduct.All(rewrite);
        if (products.Count == 0)
            throw new UnsupportedModelException("The graph has no MatMul or Gemm with a constant 2-D float weight: there is nothing to smooth.");
        if (Calibration is null)
            rewrite.Notes.Add("Channel ranges come from random inputs, because no calibration data was given.");
        var data = Calibration ?? CalibrationData.Random(sourceFolder);
        var largest = LargestPerChannel(rewrite.Model, products, data, ct);
        progress?.Report(0.5);

        var folding = new SmoothFolding(rewrite, products);
        var changed = 0;
        foreach (var group in products.GroupBy(p => p.Node.Input[0]))
        {
            ct.ThrowIfCancellationRequested();
            if (!largest.TryGetValue(group.Key, out var activations) || group.Any(p => p.Inputs != activations.Length))
                foreach (var left in group)
                    rewrite.Skip(left.Node, "is not smoothed, because its input was empty or has other channels than its weights");
            else
            {
                folding.Smooth(group.Key, [.. group], Scales(rewrite.Model, [.. group], activations));
                changed += group.Count();
            }
        }
        folding.Write(ct);
        rewrite.Notes.Add($"{folding.Folded} inputs are scaled by the nodes before, {folding.Multiplied} by a Mul.");
        rewrite.CalibrationSha256 = data.Sha256();
        return rewrite.Finish(Recipe, ct, CheckInputs ?? data.Samples.Take(4), changed);
    }

    private static Dictionary<string, float[]> LargestPerChannel(OnnxModel model, List<SmoothProduct> products, CalibrationData data, CancellationToken ct)
    {
        var names = products.Select(p => p.Node.Input[0]).Distinct().ToList();
        var largest = new Dictionary<string, float[]>();
        using var scan = new ActivationScan(model, names);
        scan.Run(data.Samples, names, (name, values, shape) =>
        {
            var channels = (int)shape[^1];
            if (!largest.TryGetValue(name, out var seen))
                largest[name] = seen = new float[channels];
            if (seen.Length == channels)
                for (var row = 0; row + channels <= values.Length; row += channels)
                    TensorPrimitives.MaxMagnitude(seen, values.Slice(row, channels), seen);
        }, ct);
        foreach (var seen in largest.Values)
            TensorPrimitives.Abs(seen, seen);
        return largest;
    }

    private float[] Scales(OnnxModel model, SmoothProduct[] group, float[] activations)
    {
        var weights = new float[activations.Length];
        foreach (var product in group)
        {
            var rows = product.RowsPerInput(model);
            for (var j = 0; j < weights.Length; j++)
                weights[j] = Math.Max(weights[j], Math.Abs(TensorPrimitives.MaxMagnitude<float>(rows.AsSpan(j * product.Outputs, product.Outputs))));
        }
        // A channel that is always zero, or that no weight reads, needs no scale.
        return [.. activations.Zip(weights, (x, w) => x > 0 && float.IsFinite(x) && w > 0 ? (float)Math.Max(1e-5, Math.Pow(x, Alpha) / Math.Pow(w, 1 - Alpha)) : 1)];
    }

    /// <summary>Equal options; the calibration data does not count.</summary>
    public bool Equals(SmoothQuant? other) => other is not null && Recipe == other.Recipe;

    /// <inheritdoc/>
    public override int GetHashCode() => Recipe.GetHashCode(StringComparison.Ordinal);

}

/// <summary>A product with constant weights [inputs, outputs], or [outputs, inputs] when <see cref="OutputsFirst"/>.</summary>
internal sealed record SmoothProduct(NodeProto Node, TensorProto Weight, bool OutputsFirst)
{
    public int Inputs => (int)Weight.Dims[OutputsFirst ? 1 : 0];
    public int Outputs => (int)Weight.Dims[OutputsFirst ? 0 : 1];

    /// <summary>Products of the outermost graph that no rule excludes.</summary>
    public static List<SmoothProduct> All(GraphRewrite rewrite)
    {
        var gemms = rewrite.Kept(rewrite.Model.Proto.Graph.Node.Where(n => n is { OpType: "Gemm", Domain: "" or "ai.onnx" } && n.Integer("transA", 0) == 0
            && !GraphRewrite.IsProduct(rewrite.Model, n) && rewrite.ConstantFloats(n, 1) is { Dims.Count: 2 } && !rewrite.Model.Initializers.ContainsKey(n.Input[0])), n => n);
        return [.. rewrite.Products.Select(p => new SmoothProduct(p.Node, p.Weight, p.OutputsFirst)),
            .. gemms.Select(n => new SmoothProduct(n, rewrite.ConstantFloats(n, 1)!, n.Integer("transB", 0) == 1))];
    }

    /// <summary>The weights as [inputs, outputs].</summary>
    public float[] RowsPerInput(OnnxModel model)
    {
        var values = model.Float32(Weight);
        if (!OutputsFirst)
            return values;
        var rows = new float[values.Length];
        Matrix.Transpose<float>(values, Outputs, Inputs, rows, Outputs);
        return rows;
    }
}
