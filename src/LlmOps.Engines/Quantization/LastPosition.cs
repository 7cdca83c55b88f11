using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Quantization;

/// <summary>
/// Makes a decoder graph give logits for the last position only: whatever no attention depends on is computed for that position alone, the last layer's MLP and the
/// output head, which is a fifth of a small model's work.
/// </summary>
internal static class LastPosition
{
    // Each row of the output depends on the same row of the inputs only.
    private static readonly HashSet<string> RowWise =
    [
        "MatMul", "FusedMatMul", "MatMulNBits", "Add", "Sub", "Mul", "Div", "Sigmoid", "Tanh", "Relu", "Gelu", "FastGelu", "QuickGelu", "BiasGelu", "Identity", "Cast",
        "LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
    ];
    private static readonly HashSet<string> Attention = ["GroupQueryAttention", "MultiHeadAttention", "Attention"];

    /// <summary>Changes the graph, unless its end does something that is not known to be row by row; then it stays as it is.</summary>
    /// <returns>Whether it was changed.</returns>
    public static bool TryCut(GraphProto graph)
    {
        var before = new HashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        var needed = new HashSet<string>();
        foreach (var node in graph.Node.Reverse())
            if (Attention.Contains(node.OpType) || node.Output.Any(needed.Contains))
            {
                before.Add(node);
                needed.UnionWith(node.Input);
            }
        var after = graph.Node.Where(node => !before.Contains(node)).ToList();
        var logits = graph.Output.FirstOrDefault(o => o.Name == DecoderGraph.Logits);
        if (before.Count == 0 || logits is null || !after.Any(node => node.Output.Contains(logits.Name)) || !after.All(node => RowWise.Contains(node.OpType)))
            return false;
        var made = before.SelectMany(node => node.Output).Where(name => name.Length > 0).ToHashSet();
        var cut = new Dictionary<string, string>();
        foreach (var node in after)
            for (var i = 0; i < node.Input.Count; i++)
                if (made.Contains(node.Input[i]))
                    node.Input[i] = Last(graph, node.Input[i], cut);
        var positions = logits.Type.TensorType.Shape.Dim[1];
        positions.ClearValue();
        positions.DimValue = 1;
        return true;
    }

    private static string Last(GraphProto graph, string tensor, Dictionary<string, string> cut)
    {
        if (cut.TryGetValue(tensor, out var known))
            return known;
        string[] bounds = [Bound(graph, "-1", -1), Bound(graph, "end", long.MaxValue), Bound(graph, "1", 1)];
        var slice = Node("Slice", $"{tensor}/last", [tensor, .. bounds], [$"{tensor}/last"]);
        var producer = graph.Node.Index().First(n => n.Item.Output.Contains(tensor)).Index;
        graph.Node.Insert(producer + 1, slice);
        return cut[tensor] = slice.Output[0];
    }

    private static string Bound(GraphProto graph, string name, long value)
    {
        name = $"/constants/last/{name}";
        if (graph.Initializer.All(t => t.Name != name))
            graph.Initializer.Add(new TensorProto { Name = name, DataType = ElementTypes.Int64, Dims = { 1 }, RawData = Google.Protobuf.ByteString.CopyFrom(BitConverter.GetBytes(value)) });
        return name;
    }
}
