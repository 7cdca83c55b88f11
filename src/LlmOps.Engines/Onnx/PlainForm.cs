using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Brings an opened graph into the one form that passes look for, without changing what it computes.</summary>
internal static class PlainForm
{
    private const long FirstIrWithPlainInitializers = 4;

    public static void Make(OnnxModel model)
    {
        var graph = model.Proto.Graph;
        // Up to version 3 every initializer had to be an input as well and was constant all the same. Later such an input is a default that a
        // caller may replace, which keeps ONNX Runtime from folding and fusing it.
        // An empty default is different: it is a place for what the caller brings, such as an adapter.
        foreach (var input in graph.Input.Where(i => model.Initializers.TryGetValue(i.Name, out var tensor) && !tensor.Dims.Contains(0)).ToList())
            graph.Input.Remove(input);
        model.Proto.IrVersion = Math.Max(model.Proto.IrVersion, FirstIrWithPlainInitializers);

        var outputs = graph.Output.Select(o => o.Name).ToHashSet();
        var constants = graph.Node.Where(node => node is { OpType: "Constant", Domain: "" or "ai.onnx", Output.Count: 1 } && !outputs.Contains(node.Output[0])
            && node.Attribute is [{ Name: "value", T: not null }]).ToHashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        foreach (var node in constants)
        {
            var tensor = node.Attribute[0].T;
            tensor.Name = node.Output[0];
            graph.Initializer.Add(tensor);
            model.Initializers.Add(tensor.Name, tensor);
        }
        if (constants.Count == 0)
            return;
        var rest = graph.Node.Where(node => !constants.Contains(node)).ToList();
        graph.Node.Clear();
        graph.Node.AddRange(rest);
    }

    /// <summary>Sets a metadata entry, or adds to the one that an earlier step left.</summary>
    public static void AddMetadata(this ModelProto model, string key, string value)
    {
        if (model.MetadataProps.FirstOrDefault(p => p.Key == key) is { } known)
            known.Value = $"{known.Value}; {value}";
        else
            model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
    }
}
