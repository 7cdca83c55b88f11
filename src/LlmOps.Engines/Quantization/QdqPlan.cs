using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Quantization;

/// <summary>A node that computes with 8-bit inputs.</summary>
/// <param name="Node">The node.</param>
/// <param name="Weight">Its constant weights, or null when both inputs are activations.</param>
/// <param name="Axis">Axis of the weights that is an output channel.</param>
/// <param name="Bias">Its constant bias, or null.</param>
internal sealed record QdqNode(NodeProto Node, TensorProto? Weight, int Axis, TensorProto? Bias)
{
    public IEnumerable<string> Inputs => Weight is null ? Node.Input.Take(2) : [Node.Input[0]];
}

/// <summary>Which nodes of a graph are quantized and which values therefore need a range.</summary>
internal sealed class QdqPlan
{
    private readonly Dictionary<string, List<NodeProto>> readers = [];
    private readonly HashSet<string> outputs, captured;

    public QdqPlan(GraphRewrite rewrite, IReadOnlyList<string> opTypes, bool depthwise)
    {
        var graph = rewrite.Model.Proto.Graph;
        outputs = [.. graph.Output.Select(o => o.Name)];
        captured = [.. graph.Node.SelectMany(n => n.Bodies()).SelectMany(GraphCheck.Captured)];
        foreach (var node in graph.Node)
            foreach (var input in node.Input.Where(i => i.Length > 0).Distinct())
                (readers.TryGetValue(input, out var list) ? list : readers[input] = []).Add(node);
        Nodes = [.. rewrite.Kept(graph.Node.Where(n => n.Domain is "" or "ai.onnx" && opTypes.Contains(n.OpType)), n => n).Select(n => Of(rewrite, n, depthwise)).OfType<QdqNode>()];

        var fed = Nodes.SelectMany(n => n.Inputs).ToHashSet();
        // An integer convolution and an integer sum need a range for what they give; a product can give floats.
        Results = Nodes.Select(n => ResultOf(n.Node)).Zip(Nodes).Where(r => r.Second.Node.OpType is "Conv" or "Add" or "Mul" || fed.Contains(r.First)).Select(r => r.First)
            .Where(name => !outputs.Contains(name) && !captured.Contains(name)).ToHashSet();
        Activations = [.. fed.Union(Results)];
    }

    public IReadOnlyList<QdqNode> Nodes { get; }

    /// <summary>Values that a quantized node makes and that every reader takes in quantized form.</summary>
    public IReadOnlySet<string> Results { get; }

    /// <summary>Every value that needs a range.</summary>
    public IReadOnlyList<string> Activations { get; }

    public IEnumerable<NodeProto> Readers(string name) => readers.TryGetValue(name, out var list) ? list : [];

    // A Relu or Clip right after is what ONNX Runtime folds into the range: the range of its result is the one that counts.
    private string ResultOf(NodeProto node) =>
        !outputs.Contains(node.Output[0]) && !captured.Contains(node.Output[0]) && Readers(node.Output[0]).ToList() is [{ OpType: "Relu" or "Clip" } next] ? next.Output[0] : node.Output[0];

    private static QdqNode? Of(GraphRewrite rewrite, NodeProto node, bool depthwise)
    {
        bool Constant(int input) => node.Input.Count > input && rewrite.Model.Initializers.ContainsKey(node.Input[input]);
        if (node.OpType is "Add" or "Mul")
            return Constant(0) || Constant(1) || node.Input[0] == node.Input[1] ? null : new(node, null, 0, null);
        if (rewrite.ConstantFloats(node, 1) is not { } weight || Constant(0))
            return null; // a product of two activations, as in attention
        if (node.OpType == "MatMul")
            return weight.Dims.Count == 2 ? new(node, weight, 1, null) : Skip("its weights are no matrix");
        var bias = rewrite.ConstantFloats(node, 2);
        if (node.Input.Count > 2 && node.Input[2].Length > 0 && bias is null)
            return Skip("its bias is not constant");
        if (node.OpType == "Conv")
            return depthwise || node.Integer("group", 1) == 1 || weight.Dims[1] > 1 ? new(node, weight, 0, bias) : Skip("it is depthwise");
        var outputsFirst = node.Integer("transB", 0) == 1;
        if (node.Integer("transA", 0) == 1 || node.Real("alpha", 1) != 1 || (bias is not null && node.Real("beta", 1) != 1))
            return Skip("it transposes its activations or scales its sum");
        return bias is null || bias.ElementCount() == weight.Dims[outputsFirst ? 0 : 1] ? new(node, weight, outputsFirst ? 0 : 1, bias) : Skip("its bias is no vector of its outputs");

        QdqNode? Skip(string why)
        {
            rewrite.Skip(node, $"stays in floating point, because {why}");
            return null;
        }
    }
}
