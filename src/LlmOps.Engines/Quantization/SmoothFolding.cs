using System.Numerics.Tensors;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>Divides activations by a scale per channel, inside the node that makes them where that is possible, and multiplies the weights that read them.</summary>
internal sealed class SmoothFolding
{
    // Where the weight of a norm stands among its inputs; a bias follows it.
    private static readonly Dictionary<string, int> NormWeights = new()
    {
        ["LayerNormalization"] = 1, ["SimplifiedLayerNormalization"] = 1, ["RMSNormalization"] = 1, ["SkipLayerNormalization"] = 2, ["SkipSimplifiedLayerNormalization"] = 2,
    };

    private readonly GraphRewrite rewrite;
    private readonly Dictionary<NodeProto, SmoothProduct> products;
    private readonly Dictionary<string, NodeProto> makers = [];
    private readonly Dictionary<string, int> reads = [];
    private readonly Dictionary<NodeProto, (float[]? Inputs, float[]? Outputs)> factors = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<NodeProto, NodeProto> changed = new(ReferenceEqualityComparer.Instance);

    public SmoothFolding(GraphRewrite rewrite, IEnumerable<SmoothProduct> products)
    {
        this.rewrite = rewrite;
        this.products = new(products.Select(p => KeyValuePair.Create(p.Node, p)), ReferenceEqualityComparer.Instance);
        var graph = rewrite.Model.Proto.Graph;
        foreach (var node in graph.Node)
        {
            foreach (var output in node.Output)
                makers[output] = node;
            foreach (var name in node.Input.Concat(node.Bodies().SelectMany(GraphCheck.Captured)))
                reads[name] = reads.GetValueOrDefault(name) + 1;
        }
        foreach (var output in graph.Output)
            reads[output.Name] = reads.GetValueOrDefault(output.Name) + 1;
    }

    public int Folded { get; private set; }
    public int Multiplied { get; private set; }

    /// <summary>Divides a value by the scales and multiplies the rows of the products that read it.</summary>
    public void Smooth(string activation, SmoothProduct[] readers, float[] scales)
    {
        var inverse = Array.ConvertAll(scales, s => 1 / s);
        if (Fold(activation, readers.Length, inverse, apply: false))
        {
            Fold(activation, readers.Length, inverse, apply: true);
            Folded++;
        }
        else
        {
            var name = $"{activation}_smoothed";
            rewrite.Insert(Node("Mul", $"{activation}_smooth", [activation, rewrite.Add<float>($"{activation}_inverse_scale", ElementTypes.Float, [scales.Length], inverse)], [name]));
            foreach (var reader in readers)
                Changed(reader.Node).Input[0] = name;
            Multiplied++;
        }
        foreach (var reader in readers)
            factors[reader.Node] = (scales, factors.GetValueOrDefault(reader.Node).Outputs);
    }

    // Asked first without applying: of a chain either all parts change or none.
    private bool Fold(string name, int readers, float[] factor, bool apply)
    {
        if (reads.GetValueOrDefault(name) != readers || !makers.TryGetValue(name, out var node) || node.Output[0] != name)
            return false;
        if (NormWeights.TryGetValue(node.OpType, out var at))
            return ScaleVectors(node, [at, at + 1], factor, apply);
        if (products.TryGetValue(node, out var product) && product.Outputs == factor.Length)
        {
            if (node.OpType == "Gemm" && node.Input.Count > 2 && node.Input[2].Length > 0 && !ScaleVectors(node, [2], factor, apply))
                return false;
            if (apply)
                factors[node] = (factors.GetValueOrDefault(node).Inputs, factor);
            return true;
        }
        return node.OpType switch
        {
            "Relu" => Fold(node.Input[0], 1, factor, apply),
            "Mul" when rewrite.ConstantFloats(node, 1) is not null => ScaleVectors(node, [1], factor, apply),
            "Mul" when rewrite.ConstantFloats(node, 0) is not null => ScaleVectors(node, [0], factor, apply),
            "Mul" => Fold(node.Input[1], 1, factor, apply) || Fold(node.Input[0], 1, factor, apply),
            "Add" when rewrite.ConstantFloats(node, 1) is not null => ScaleVectors(node, [1], factor, apply: false) && Fold(node.Input[0], 1, factor, apply) && ScaleVectors(node, [1], factor, apply),
            "Add" when rewrite.ConstantFloats(node, 0) is not null => ScaleVectors(node, [0], factor, apply: false) && Fold(node.Input[1], 1, factor, apply) && ScaleVectors(node, [0], factor, apply),
            _ => false,
        };
    }

    private bool ScaleVectors(NodeProto node, int[] inputs, float[] factor, bool apply)
    {
        foreach (var (i, at) in inputs.Index())
        {
            if (at >= node.Input.Count || node.Input[at].Length == 0)
            {
                if (i == 0)
                    return false;
                continue;
            }
            if (rewrite.ConstantFloats(node, at) is not { } vector || vector.ElementCount() != factor.Length)
                return false;
            if (!apply)
                continue;
            var values = rewrite.Model.Float32(vector);
            TensorPrimitives.Multiply(values, factor, values);
            Changed(node).Input[at] = rewrite.Add<float>($"{vector.Name}_{node.Output[0]}_smoothed", ElementTypes.Float, [.. vector.Dims], values);
        }
        return true;
    }

    private NodeProto Changed(NodeProto node) => changed.TryGetValue(node, out var copy) ? copy : changed[node] = node.Clone();

    /// <summary>Writes the scaled weights, one matrix at a time.</summary>
    public void Write(CancellationToken ct)
    {
        foreach (var (node, (inputs, outputs)) in factors)
        {
            ct.ThrowIfCancellationRequested();
            var product = products[node];
            var values = product.RowsPerInput(rewrite.Model);
            for (var j = 0; j < product.Inputs; j++)
            {
                var row = values.AsSpan(j * product.Outputs, product.Outputs);
                if (inputs is not null)
                    TensorPrimitives.Multiply(row, inputs[j], row);
                if (outputs is not null)
                    TensorPrimitives.Multiply(row, outputs, row);
            }
            if (product.OutputsFirst)
            {
                var columns = new float[values.Length];
                Matrix.Transpose<float>(values, product.Inputs, product.Outputs, columns, product.Inputs);
                values = columns;
            }
            // Nodes that share a weight read inputs of different ranges.
            Changed(node).Input[1] = rewrite.Add<float>($"{product.Weight.Name}_{node.Output[0]}_smoothed", ElementTypes.Float, [.. product.Weight.Dims], values);
        }
        foreach (var (node, by) in changed)
            rewrite.Replace(node, by);
    }
}
