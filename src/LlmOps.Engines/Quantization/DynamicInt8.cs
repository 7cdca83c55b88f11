using System.Text.Json.Serialization;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using LlmOps.Engines.Optimization;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Weights become 8-bit integers once, activations at run time: MatMul and Gemm become DynamicQuantizeLinear, MatMulInteger and a scaling,
/// which ONNX Runtime fuses when it loads the graph; Conv becomes ConvInteger in the same way. An embedding table becomes 8-bit too; a tied
/// head gets a transposed copy of it, because MatMulInteger reads [inputs, outputs] only: one byte each instead of four shared ones.
/// </summary>
/// <param name="PerChannel">One scale per output column or channel instead of one per tensor: closer to the original at the same speed class.</param>
/// <param name="ReduceRange">7-bit weights of products; null means where the processor has no VNNI, whose predecessors can saturate with 8 bits.</param>
/// <param name="Exclude">Nodes that stay in floating point.</param>
/// <param name="Convolutions">Whether Conv nodes are quantized, depthwise ones excepted: they have hardly any weights.</param>
public sealed record DynamicInt8(bool PerChannel = true, bool? ReduceRange = null, ExclusionRules? Exclude = null, bool Convolutions = true) : QuantizationPass
{
    private int Limit => ReduceRange ?? !CpuFeatures.HasVnni ? 63 : 127;

    /// <summary>
    /// SmoothQuant's exponent, 0 (off) to 1; 0.5 is usual. Activation channels are divided by max|x|^α / max|w|^(1−α) and the weights multiplied by it,
    /// which moves the difficulty of outlier channels from the activations to the weights.
    /// </summary>
    public double Smoothing { get; init; }

    /// <summary>Tokens that <see cref="Smoothing"/> measures the activations on.</summary>
    [JsonIgnore]
    public CalibrationTokens? Calibration { get; init; }

    /// <inheritdoc/>
    public override QuantizationPass WithCalibration(string sourceFolder, CalibrationTokens tokens) => Smoothing > 0 ? this with { Calibration = tokens } : this;

    internal override string? CalibrationHash => Smoothing > 0 ? Calibration?.Sha256 : null;

    /// <inheritdoc/>
    public override QuantizationReport Run(string sourceFolder, string targetFolder, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        if (Smoothing is not (>= 0 and <= 1))
            throw new ArgumentException("Smoothing must be 0 to 1.");
        if (Smoothing > 0 && Calibration is null)
            throw new ArgumentException("Smoothing needs Calibration: token sequences like those that the model will see.");
        using var rewrite = new GraphRewrite(sourceFolder, targetFolder, Exclude) { CalibrationSha256 = Smoothing > 0 ? Calibration!.Sha256 : null };
        var folding = new NormFolding(rewrite);
        if (Smoothing > 0)
            SmoothingScales.Fold(rewrite, folding, Smoothing, Calibration!, ct);
        rewrite.RaiseOpset(11);
        var others = rewrite.Kept(rewrite.Model.Proto.Graph.Node.Where(n => n.Domain is "" or "ai.onnx" && (n.OpType == "Gemm" || (Convolutions && n.OpType == "Conv")) && !GraphRewrite.IsProduct(rewrite.Model, n)), n => n);
        var activations = new HashSet<string>();
        var (done, total) = (0, rewrite.Products.Count + others.Count);
        foreach (var product in rewrite.Products)
        {
            ct.ThrowIfCancellationRequested();
            QuantizeProduct(rewrite, folding, product, activations);
            done++;
            progress?.Report((double)done / total);
        }
        foreach (var node in others)
        {
            ct.ThrowIfCancellationRequested();
            done += node.OpType == "Gemm" ? QuantizeGemm(rewrite, node, activations) : QuantizeConvolution(rewrite, node, activations);
            progress?.Report((double)done / total);
        }
        if (done == 0)
            throw new UnsupportedModelException("No MatMul, Gemm or Conv of the graph has constant float weights that can be quantized: there is nothing to do.");
        if (ReduceRange is null && Limit < 127)
            rewrite.Notes.Add("Weights have 7 bits, because this processor has no VNNI.");
        foreach (var (node, table) in rewrite.Lookups)
            QuantizeLookup(rewrite, node, table);
        folding.Finish();
        return rewrite.Finish(Recipe, ct, CheckInputs);
    }

    private void QuantizeProduct(GraphRewrite rewrite, NormFolding folding, WeightProduct product, HashSet<string> activations) =>
        rewrite.Replace(product.Node, [.. ProductNodes(rewrite, product, folding.Weights(product), activations, 1, product.Node.Output[0])]);

    private int QuantizeGemm(GraphRewrite rewrite, NodeProto node, HashSet<string> activations)
    {
        var bias = node.Input.Count > 2 && node.Input[2].Length > 0;
        if (rewrite.ConstantFloats(node, 1) is not { Dims.Count: 2 } weight || node.Integer("transA", 0) == 1 || (bias && node.Real("beta", 1) != 1))
            return Left(rewrite, node, "stays in floating point, because its weights are not constant, it transposes its activations or it scales its sum");
        var (output, product) = (node.Output[0], new WeightProduct(node, weight, node.Integer("transB", 0) == 1));
        var nodes = ProductNodes(rewrite, product, GraphRewrite.RowsPerOutput(rewrite.Model, product), activations, node.Real("alpha", 1), bias ? $"{output}_product" : output);
        if (bias)
            nodes.Add(Node("Add", $"{Step(node)}_bias", [$"{output}_product", node.Input[2]], [output]));
        rewrite.Replace(node, [.. nodes]);
        return 1;
    }

    private static int Left(GraphRewrite rewrite, NodeProto node, string why)
    {
        rewrite.Skip(node, why);
        return 0;
    }

    private static string Step(NodeProto node) => node.Name.Length > 0 ? node.Name : node.Output[0];

    // Products that share an input (gate and up) share its quantization.
    private static IEnumerable<NodeProto> Activation(string input, HashSet<string> activations) => activations.Add(input)
        ? [Node("DynamicQuantizeLinear", $"{input}_QuantizeLinear", [input], [$"{input}_quantized", $"{input}_scale", $"{input}_zero_point"])] : [];

    private List<NodeProto> ProductNodes(GraphRewrite rewrite, WeightProduct product, float[] weights, HashSet<string> activations, float factor, string output)
    {
        var (node, weight) = (product.Node, product.Weight);
        var (rows, scales) = QuantizeRows(weights, product.Outputs, product.Inputs);
        var columns = new sbyte[rows.Length];
        Matrix.Transpose<sbyte>(rows, product.Outputs, product.Inputs, columns, product.Outputs);
        long[] perOutput = PerChannel ? [product.Outputs] : [];
        var name = $"{weight.Name}{(product.OutputsFirst ? ".transposed" : "")}";
        var quantized = rewrite.Add<sbyte>($"{name}_quantized", ElementTypes.Int8, [product.Inputs, product.Outputs], columns);
        var scale = factor == 1 ? rewrite.Add<float>($"{name}_scale", ElementTypes.Float, perOutput, scales)
            : rewrite.Add<float>($"{name}_{output}_scale", ElementTypes.Float, perOutput, Array.ConvertAll(scales, s => s * factor));
        var zero = rewrite.Add<sbyte>($"{name}_zero_point", ElementTypes.Int8, perOutput, new sbyte[scales.Length]);

        string input = node.Input[0], step = Step(node);
        return
        [
            .. Activation(input, activations),
            Node("MatMulInteger", $"{step}_quant", [$"{input}_quantized", quantized, $"{input}_zero_point", zero], [$"{step}_int32"]),
            .. Scaled(step, input, scale, output),
        ];
    }

    private static NodeProto[] Scaled(string step, string input, string scale, string output) =>
    [
        Node("Cast", $"{step}_cast", [$"{step}_int32"], [$"{step}_float"], Attribute("to", ElementTypes.Float)),
        Node("Mul", $"{step}_scales", [$"{input}_scale", scale], [$"{step}_scale"]),
        Node("Mul", $"{step}_output", [$"{step}_float", $"{step}_scale"], [output]),
    ];

    private int QuantizeConvolution(GraphRewrite rewrite, NodeProto node, HashSet<string> activations)
    {
        if (rewrite.ConstantFloats(node, 1) is not { Dims.Count: >= 3 } weight)
            return Left(rewrite, node, "stays in floating point, because its weights are not constant");
        if (node.Integer("group", 1) > 1 && weight.Dims[1] == 1)
            return Left(rewrite, node, "stays in floating point, because it is depthwise: it has hardly any weights");
        // ConvInteger's kernel reads unsigned weights only; with the zero point in the middle they are symmetric all the same. Unsigned products
        // do not saturate, so that all 8 bits can be used everywhere.
        var packed = ChannelInt8.Of(rewrite.Model.Float32(weight), weight.Dims, PerChannel ? 0 : -1, 127);
        var quantized = rewrite.Add<byte>($"{weight.Name}_quantized", ElementTypes.UInt8, [.. weight.Dims], Array.ConvertAll(packed.Values, v => (byte)(v + 128)));
        long[] perChannel = PerChannel ? [weight.Dims[0], .. Enumerable.Repeat(1L, weight.Dims.Count - 2)] : [];
        var scale = rewrite.Add<float>($"{weight.Name}_scale", ElementTypes.Float, perChannel, packed.Scales);
        var zero = rewrite.Add<byte>($"{weight.Name}_zero_point", ElementTypes.UInt8, [], [128]);

        string input = node.Input[0], step = Step(node), output = node.Output[0];
        var bias = node.Input.Count > 2 && node.Input[2].Length > 0;
        var nodes = Activation(input, activations).ToList();
        nodes.Add(Node("ConvInteger", $"{step}_quant", [$"{input}_quantized", quantized, $"{input}_zero_point", zero], [$"{step}_int32"], [.. node.Attribute]));
        nodes.AddRange(Scaled(step, input, scale, bias ? $"{output}_product" : output));
        if (bias)
        {
            var shape = rewrite.Add<long>($"{step}_bias_shape", ElementTypes.Int64, [weight.Dims.Count - 1], [-1, .. Enumerable.Repeat(1L, weight.Dims.Count - 2)]);
            nodes.Add(Node("Reshape", $"{step}_bias_column", [node.Input[2], shape], [$"{output}_bias"]));
            nodes.Add(Node("Add", $"{step}_bias", [$"{output}_product", $"{output}_bias"], [output]));
        }
        rewrite.Replace(node, [.. nodes]);
        return 1;
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
        // Not "…_scale": a product that reads this output quantizes it under that name.
        if (PerChannel)
            nodes.Add(Node("Gather", $"{step}_scales", [scale, node.Input[1]], [$"{output}_row_scale"], Attribute("axis", 0)));
        nodes.Add(Node("Mul", $"{step}_output", [$"{output}_float", PerChannel ? $"{output}_row_scale" : scale], [output]));
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
