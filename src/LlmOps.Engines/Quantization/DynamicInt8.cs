using System.Text.Json.Serialization;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Weights become 8-bit integers once, activations at run time: MatMul becomes DynamicQuantizeLinear, MatMulInteger and a scaling, which
/// ONNX Runtime fuses when it loads the graph. The embedding table becomes 8-bit too; a tied head gets a transposed copy of it, because
/// MatMulInteger reads [inputs, outputs] only: one byte each instead of four shared ones.
/// </summary>
/// <param name="PerChannel">One scale per output column instead of one per matrix: closer to the original at the same speed class.</param>
/// <param name="ReduceRange">7-bit weights, for processors with AVX2 or AVX-512 but without VNNI, where 8-bit products can saturate.</param>
/// <param name="Exclude">Nodes that stay in floating point.</param>
public sealed record DynamicInt8(bool PerChannel = true, bool ReduceRange = false, ExclusionRules? Exclude = null) : QuantizationPass
{
    private int Limit => ReduceRange ? 63 : 127;

    /// <summary>
    /// SmoothQuant's exponent, 0 (off) to 1; 0.5 is usual. Activation channels are divided by max|x|^α / max|w|^(1−α) and the weights multiplied by it,
    /// which moves the difficulty of outlier channels from the activations to the weights.
    /// </summary>
    public double Smoothing { get; init; }

    /// <summary>Tokens that <see cref="Smoothing"/> measures the activations on.</summary>
    [JsonIgnore]
    public CalibrationTokens? Calibration { get; init; }

    /// <inheritdoc/>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        if (Smoothing is not (>= 0 and <= 1))
            throw new ArgumentException("Smoothing must be 0 to 1.");
        if (Smoothing > 0 && Calibration is null)
            throw new ArgumentException("Smoothing needs Calibration: token sequences like those that the model will see.");
        using var rewrite = new GraphRewrite(sourceFolder, targetFolder, Exclude) { CalibrationSha256 = Smoothing > 0 ? Calibration!.Sha256 : null };
        rewrite.EnsureProducts();
        var folding = new NormFolding(rewrite);
        if (Smoothing > 0)
            SmoothingScales.Fold(rewrite, folding, Smoothing, Calibration!, ct);
        var activations = new HashSet<string>();
        foreach (var (i, product) in rewrite.Products.Index())
        {
            ct.ThrowIfCancellationRequested();
            QuantizeProduct(rewrite, folding, product, activations);
            progress?.Report((i + 1.0) / rewrite.Products.Count);
        }
        foreach (var (node, table) in rewrite.Lookups)
            QuantizeLookup(rewrite, node, table);
        folding.Finish();
        return rewrite.Finish(Recipe, ct);
    }

    private void QuantizeProduct(GraphRewrite rewrite, NormFolding folding, WeightProduct product, HashSet<string> activations)
    {
        var (node, weight) = (product.Node, product.Weight);
        var (rows, scales) = QuantizeRows(folding.Weights(product), product.Outputs, product.Inputs);
        var columns = new sbyte[rows.Length];
        Matrix.Transpose<sbyte>(rows, product.Outputs, product.Inputs, columns, product.Outputs);
        long[] perOutput = PerChannel ? [product.Outputs] : [];
        var name = $"{weight.Name}{(product.OutputsFirst ? ".transposed" : "")}";
        var quantized = rewrite.Add<sbyte>($"{name}_quantized", ElementTypes.Int8, [product.Inputs, product.Outputs], columns);
        var scale = rewrite.Add<float>($"{name}_scale", ElementTypes.Float, perOutput, scales);
        var zero = rewrite.Add<sbyte>($"{name}_zero_point", ElementTypes.Int8, perOutput, new sbyte[scales.Length]);

        string input = node.Input[0], step = node.Name.Length > 0 ? node.Name : node.Output[0];
        List<NodeProto> nodes = [];
        // Products that share an input (gate and up) share its quantization.
        if (activations.Add(input))
            nodes.Add(Node("DynamicQuantizeLinear", $"{input}_QuantizeLinear", [input], [$"{input}_quantized", $"{input}_scale", $"{input}_zero_point"]));
        nodes.Add(Node("MatMulInteger", $"{step}_quant", [$"{input}_quantized", quantized, $"{input}_zero_point", zero], [$"{step}_int32"]));
        nodes.Add(Node("Cast", $"{step}_cast", [$"{step}_int32"], [$"{step}_float"], Attribute("to", ElementTypes.Float)));
        nodes.Add(Node("Mul", $"{step}_scales", [$"{input}_scale", scale], [$"{step}_scale"]));
        nodes.Add(Node("Mul", $"{step}_output", [$"{step}_float", $"{step}_scale"], [node.Output[0]]));
        rewrite.Replace(node, [.. nodes]);
    }

    private void QuantizeLookup(GraphRewrite rewrite, NodeProto node, TensorProto table)
    {
        int rows = (int)table.Dims[0], width = (int)table.Dims[1];
        var (values, scales) = QuantizeRows(rewrite.Model.Float32(table), rows, width);
        var quantized = rewrite.Add<sbyte>($"{table.Name}_quantized", ElementTypes.Int8, [rows, width], values);
        var step = node.Name;
        var output = node.Output[0];
        List<NodeProto> nodes =
        [
            Node("Gather", $"{step}_quant", [quantized, node.Input[1]], [$"{output}_int8"], Attribute("axis", 0)),
            Node("Cast", $"{step}_cast", [$"{output}_int8"], [$"{output}_float"], Attribute("to", ElementTypes.Float)),
        ];
        // Scales as a column, so that a looked-up scale is [.., 1] and multiplies its row.
        var scale = rewrite.Add<float>($"{table.Name}_row_scale", ElementTypes.Float, PerChannel ? [rows, 1] : [], scales);
        if (PerChannel)
            nodes.Add(Node("Gather", $"{step}_scales", [scale, node.Input[1]], [$"{output}_scale"], Attribute("axis", 0)));
        nodes.Add(Node("Mul", $"{step}_output", [$"{output}_float", PerChannel ? $"{output}_scale" : scale], [output]));
        rewrite.Replace(node, [.. nodes]);
    }

    // Symmetric, scale = max|w| / limit; a matrix of zeros gets scale 1 (the rule of ONNX Runtime's quantizer).
    private (sbyte[] Values, float[] Scales) QuantizeRows(float[] weights, int rows, int width)
    {
        var scales = new float[PerChannel ? rows : 1];
        var values = new sbyte[weights.Length];
        var group = PerChannel ? width : weights.Length;
        for (var g = 0; g < scales.Length; g++)
        {
            var part = weights.AsSpan(g * group, group);
            var largest = Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude<float>(part));
            var scale = scales[g] = largest > 1e-30f ? largest / Limit : 1;
            for (var i = 0; i < group; i++)
                values[g * group + i] = (sbyte)Math.Clamp(MathF.Round(part[i] / scale), -Limit, Limit);
        }
        return (values, scales);
    }
}
