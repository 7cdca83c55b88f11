using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>Puts QuantizeLinear and DequantizeLinear where a plan asks for them.</summary>
internal sealed class QdqWriter(GraphRewrite rewrite, QdqPlan plan, bool signed, bool perChannel, bool narrow)
{
    // DequantizeLinear takes a scale per channel from opset 13 on; ONNX Runtime's own operators of the same names take it in any.
    private readonly string domain = rewrite.Model.Proto.Opset() >= 13 ? "" : Contrib;
    private readonly Dictionary<string, float> scales = [];
    private readonly Dictionary<NodeProto, NodeProto> changed = new(ReferenceEqualityComparer.Instance);

    public int Quantized { get; private set; }

    public void Write(IReadOnlyDictionary<string, (double Low, double High)> ranges, CancellationToken ct)
    {
        var nodes = plan.Nodes.Where(n => n.Inputs.All(ranges.ContainsKey)).ToList();
        foreach (var left in plan.Nodes.Except(nodes))
            rewrite.Skip(left.Node, "stays in floating point, because its input was empty or not finite in every sample");
        foreach (var name in nodes.SelectMany(n => n.Inputs).Concat(plan.Results.Where(ranges.ContainsKey)).Distinct())
            AddPair(name, ranges[name]);
        foreach (var node in nodes)
        {
            ct.ThrowIfCancellationRequested();
            foreach (var input in node.Inputs)
                Redirect(node.Node, input);
            if (node.Weight is not null)
                AddWeight(node);
            Quantized++;
        }
        foreach (var name in plan.Results.Where(scales.ContainsKey))
            foreach (var reader in plan.Readers(name))
                Redirect(reader, name);
        foreach (var (node, by) in changed)
            rewrite.Replace(node, by);
    }

    private NodeProto Changed(NodeProto node) => changed.TryGetValue(node, out var copy) ? copy : changed[node] = node.Clone();

    private void Redirect(NodeProto node, string from)
    {
        var copy = Changed(node);
        for (var i = 0; i < copy.Input.Count; i++)
            if (copy.Input[i] == from)
                copy.Input[i] = $"{from}_dequantized";
    }

    private void AddPair(string name, (double Low, double High) range)
    {
        var (scale, zero) = signed ? Linear8.Of(range, -128, 127) : Linear8.Of(range, 0, 255);
        scales[name] = scale;
        var scaleName = rewrite.Add<float>($"{name}_scale", ElementTypes.Float, [], [scale]);
        var zeroName = signed ? rewrite.Add<sbyte>($"{name}_zero_point", ElementTypes.Int8, [], [(sbyte)zero]) : rewrite.Add<byte>($"{name}_zero_point", ElementTypes.UInt8, [], [(byte)zero]);
        rewrite.Insert(Node(domain, "QuantizeLinear", $"{name}_QuantizeLinear", [name, scaleName, zeroName], [$"{name}_quantized"]));
        rewrite.Insert(Node(domain, "DequantizeLinear", $"{name}_DequantizeLinear", [$"{name}_quantized", scaleName, zeroName], [$"{name}_dequantized"]));
    }

    private void AddWeight(QdqNode node)
    {
        var weight = node.Weight!;
        var name = $"{weight.Name}_int8_{node.Axis}";
        long[] channels = perChannel ? [weight.Dims[node.Axis]] : [];
        var quantized = ChannelInt8.Of(rewrite.Model.Float32(weight), weight.Dims, perChannel ? node.Axis : -1, narrow ? 63 : 127);
        if (!rewrite.IsAdded(name))
        {
            rewrite.Add<sbyte>(name, ElementTypes.Int8, [.. weight.Dims], quantized.Values);
            rewrite.Add<float>($"{name}_scale", ElementTypes.Float, channels, quantized.Scales);
            rewrite.Add<sbyte>($"{name}_zero_point", ElementTypes.Int8, channels, new sbyte[quantized.Scales.Length]);
            rewrite.Insert(Dequantize(name, [name, $"{name}_scale", $"{name}_zero_point"], node.Axis));
        }
        Changed(node.Node).Input[1] = $"{name}_dequantized";
        if (node.Bias is not null)
            AddBias(node, quantized.Scales);
    }

    // The integer kernel adds the bias to its 32-bit sums, so its scale is the product of the two others.
    private void AddBias(QdqNode node, float[] weightScales)
    {
        var values = rewrite.Model.Float32(node.Bias!);
        var factor = scales[node.Node.Input[0]];
        var biasScales = Array.ConvertAll(weightScales, s => s * factor);
        var quantized = new int[values.Length];
        for (var i = 0; i < values.Length; i++)
            quantized[i] = (int)Math.Clamp(Math.Round(values[i] / (double)biasScales[biasScales.Length == 1 ? 0 : i]), int.MinValue, int.MaxValue);
        // One bias can serve several nodes, whose activations differ in scale.
        var name = $"{node.Node.Output[0]}_bias";
        long[] channels = biasScales.Length == 1 && !perChannel ? [] : [biasScales.Length];
        rewrite.Add<int>($"{name}_int32", ElementTypes.Int32, [values.Length], quantized);
        rewrite.Add<float>($"{name}_int32_scale", ElementTypes.Float, channels, biasScales);
        rewrite.Insert(Dequantize($"{name}_int32", [$"{name}_int32", $"{name}_int32_scale"], 0));
        Changed(node.Node).Input[2] = $"{name}_int32_dequantized";
    }

    private NodeProto Dequantize(string name, string[] inputs, int axis) => perChannel
        ? Node(domain, "DequantizeLinear", $"{name}_DequantizeLinear", inputs, [$"{name}_dequantized"], Attribute("axis", axis))
        : Node(domain, "DequantizeLinear", $"{name}_DequantizeLinear", inputs, [$"{name}_dequantized"]);
}

/// <summary>Scale and zero point of a linear 8-bit range, as ONNX Runtime's quantizer chooses them.</summary>
internal static class Linear8
{
    public static (float Scale, int Zero) Of((double Low, double High) range, int bottom, int top)
    {
        var (low, high) = (Math.Min(range.Low, 0), Math.Max(range.High, 0)); // zero has to be exact: padding is zero
        var scale = (high - low) / (top - bottom);
        // A constant zero would give a scale of zero.
        return scale < 1.1754944e-38 ? (1, 0) : ((float)scale, (int)Math.Clamp(Math.Round(bottom - low / scale), bottom, top));
    }
}
