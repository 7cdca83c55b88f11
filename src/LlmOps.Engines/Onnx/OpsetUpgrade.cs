using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.Onnx;

/// <summary>
/// Brings graphs of opset 9 and 10 to 11, the first that has DynamicQuantizeLinear. Between them only the operators below changed what
/// their inputs or attributes mean; every other change of those versions added something.
/// </summary>
internal static class OpsetUpgrade
{
    private const long Target = 11;

    /// <summary>Raises the graph to the opset when it is older.</summary>
    /// <returns>A sentence for the report, or null when nothing was to be done.</returns>
    /// <exception cref="UnsupportedModelException">A node whose older form has no equal in opset 11.</exception>
    public static string? Raise(OnnxModel model, long opset)
    {
        var from = model.Proto.Opset();
        if (from >= opset)
            return null;
        if (opset > Target || from < 9)
            throw new UnsupportedModelException($"{model.Label} uses opset {from}; this pass needs {opset} or newer.");
        foreach (var node in model.Proto.Graph.AllNodes().Where(n => n.Domain is "" or "ai.onnx").ToList())
            Upgrade(model, node, from);
        model.Proto.OpsetImport.First(o => o.Domain is "" or "ai.onnx").Version = Target;
        // Functions carry opsets of their own.
        return $"{model.Label}: raised from opset {from} to {Target}.";
    }

    private static void Upgrade(OnnxModel model, NodeProto node, long from)
    {
        switch (node.OpType)
        {
            case "Clip":
                // Version 6 limits by attributes, with the whole range of floats as default.
                var (low, high) = (node.Attribute.Any(a => a.Name == "min"), node.Attribute.Any(a => a.Name == "max"));
                AddInput(model, node, 1, low ? Scalar(model, node, "min", node.Real("min", 0)) : "");
                if (high)
                    AddInput(model, node, 2, Scalar(model, node, "max", node.Real("max", 0)));
                Drop(node, "min", "max");
                break;
            case "Pad":
                AddInput(model, node, 1, Integers(model, node, "pads"));
                AddInput(model, node, 2, Scalar(model, node, "value", node.Real("value", 0)));
                Drop(node, "pads", "value");
                break;
            case "Slice" when from < 10:
                AddInput(model, node, 1, Integers(model, node, "starts"));
                AddInput(model, node, 2, Integers(model, node, "ends"));
                if (node.Attribute.Any(a => a.Name == "axes"))
                    AddInput(model, node, 3, Integers(model, node, "axes"));
                Drop(node, "starts", "ends", "axes");
                break;
            case "TopK" when from < 10:
                AddInput(model, node, 1, Constant(model, node, "k", [node.Integer("k", 0)]));
                Drop(node, "k");
                break;
            case "Upsample" or "Resize":
                // Both meant what is called asymmetric now, with the nearest value below.
                node.OpType = "Resize";
                node.Input.Insert(1, Floats(model, node, "roi", []));
                node.Attribute.Add(Attribute("coordinate_transformation_mode", "asymmetric"));
                if (node.Attribute.FirstOrDefault(a => a.Name == "mode")?.S.ToStringUtf8() is null or "nearest")
                    node.Attribute.Add(Attribute("nearest_mode", "floor"));
                break;
            case "Scatter":
                node.OpType = "ScatterElements";
                break;
        }
    }

    private static void AddInput(OnnxModel model, NodeProto node, int at, string name)
    {
        while (node.Input.Count < at)
            node.Input.Add("");
        if (node.Input.Count > at)
            throw new UnsupportedModelException($"{model.Label}: {node.Title()} has more inputs than its opset knows.");
        node.Input.Add(name);
    }

    private static void Drop(NodeProto node, params string[] names)
    {
        foreach (var attribute in node.Attribute.Where(a => names.Contains(a.Name)).ToList())
            node.Attribute.Remove(attribute);
    }

    private static string Integers(OnnxModel model, NodeProto node, string attribute) => node.Attribute.FirstOrDefault(a => a.Name == attribute) is { } found
        ? Constant(model, node, attribute, [.. found.Ints])
        : throw new InvalidModelException($"{model.Label}: {node.Title()} has no attribute '{attribute}'.");

    private static string Scalar(OnnxModel model, NodeProto node, string part, float value) => Add(model, node, part, new TensorProto { DataType = ElementTypes.Float, FloatData = { value } });

    private static string Floats(OnnxModel model, NodeProto node, string part, float[] values) => Add(model, node, part, new TensorProto { DataType = ElementTypes.Float, Dims = { values.Length }, FloatData = { values } });

    private static string Constant(OnnxModel model, NodeProto node, string part, long[] values) => Add(model, node, part, new TensorProto { DataType = ElementTypes.Int64, Dims = { values.Length }, Int64Data = { values } });

    // In the outermost graph: bodies see it.
    private static string Add(OnnxModel model, NodeProto node, string part, TensorProto tensor)
    {
        tensor.Name = $"{node.Output[0]}_{part}_opset{Target}";
        model.Proto.Graph.Initializer.Add(tensor);
        return model.Initializers.TryAdd(tensor.Name, tensor) ? tensor.Name : throw new InvalidModelException($"{model.Label}: the name '{tensor.Name}' is taken.");
    }
}
