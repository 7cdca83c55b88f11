using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>What has to hold for any model file before something is computed from it: stored tensors, versions, names, order.</summary>
internal static class GraphCheck
{
    private const int LowestOpset = 9, HighestOpset = 24;

    /// <exception cref="InvalidModelException">The file contradicts itself; the message names the tensor or node.</exception>
    /// <exception cref="UnsupportedModelException">An opset or element type that this library does not know.</exception>
    public static void Ensure(OnnxModel model)
    {
        var version = model.Proto.Opset();
        if (version is < LowestOpset or > HighestOpset)
            throw new UnsupportedModelException($"{model.Label} uses opset {version}; {LowestOpset} to {HighestOpset} are supported.");
        foreach (var tensor in model.Proto.AllTensors())
            model.EnsureStored(tensor);
        EnsureGraph(model.Proto.Graph, []);
        foreach (var function in model.Proto.Functions)
            EnsureNodes(function.Node, [.. function.Input], function.Output, $"Function '{function.Name}'");
    }

    /// <summary>Version of ONNX's own operators; 1 when the file does not say.</summary>
    public static long Opset(this ModelProto model) => model.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version ?? 1;

    private static void EnsureGraph(GraphProto graph, HashSet<string> outer)
    {
        var label = $"Graph '{graph.Name}'";
        var known = new HashSet<string>(outer);
        var own = new HashSet<string>();
        foreach (var input in graph.Input)
            if (!own.Add(input.Name))
                throw new InvalidModelException($"{label}: two inputs are called '{input.Name}'.");
        var initializers = new HashSet<string>();
        foreach (var name in graph.Initializer.Select(t => t.Name).Concat(graph.SparseInitializer.Select(s => s.Values?.Name ?? "")))
            if (!initializers.Add(name))
                throw new InvalidModelException($"{label}: two initializers are called '{name}'.");
        known.UnionWith(own);
        known.UnionWith(initializers);
        EnsureNodes(graph.Node, known, graph.Output.Select(o => o.Name), label);
    }

    // Kahn's order: a file may list nodes in any order, but something has to come first.
    private static void EnsureNodes(IReadOnlyList<NodeProto> nodes, HashSet<string> known, IEnumerable<string> outputs, string label)
    {
        var makers = new Dictionary<string, NodeProto>();
        foreach (var node in nodes)
            foreach (var output in node.Output.Where(o => o.Length > 0))
                if (known.Contains(output) || !makers.TryAdd(output, node))
                    throw new InvalidModelException($"{label}: '{output}' is made twice, the second time by {Title(node)}.");
        foreach (var output in outputs)
            if (!makers.ContainsKey(output) && !known.Contains(output))
                throw new InvalidModelException($"{label}: nothing makes the output '{output}'.");

        var reads = nodes.ToDictionary(node => node, node => Reads(node).ToHashSet(), (IEqualityComparer<NodeProto>)ReferenceEqualityComparer.Instance);
        var waiting = new Dictionary<NodeProto, int>(ReferenceEqualityComparer.Instance);
        var readers = new Dictionary<string, List<NodeProto>>();
        foreach (var node in nodes)
        {
            waiting[node] = 0;
            foreach (var name in reads[node])
                if (makers.ContainsKey(name))
                {
                    waiting[node]++;
                    (readers.TryGetValue(name, out var list) ? list : readers[name] = []).Add(node);
                }
                else if (!known.Contains(name))
                    throw new InvalidModelException($"{label}: {Title(node)} reads '{name}', which nothing makes.");
        }
        var ready = new Queue<NodeProto>(nodes.Where(node => waiting[node] == 0));
        var done = 0;
        for (; ready.TryDequeue(out var node); done++)
            foreach (var reader in node.Output.Where(readers.ContainsKey).SelectMany(o => readers[o]))
                if (--waiting[reader] == 0)
                    ready.Enqueue(reader);
        if (done < nodes.Count)
            throw new InvalidModelException($"{label}: {Title(nodes.First(node => waiting[node] > 0))} waits for its own result; the graph has a cycle.");

        if (nodes.Any(node => node.Bodies().Any()))
            known = [.. known, .. makers.Keys];
        foreach (var body in nodes.SelectMany(ModelTensors.Bodies))
            EnsureGraph(body, known);
    }

    // What the node reads of the graph around it; names that only a body of it makes are that body's.
    private static IEnumerable<string> Reads(NodeProto node) => node.Input.Where(i => i.Length > 0).Concat(node.Bodies().SelectMany(Captured));

    /// <summary>Names that a body takes from the graphs around it.</summary>
    public static IEnumerable<string> Captured(this GraphProto body)
    {
        HashSet<string> own =
        [
            .. body.Input.Select(i => i.Name), .. body.Initializer.Select(t => t.Name), .. body.SparseInitializer.Select(s => s.Values?.Name ?? ""),
            .. body.Node.SelectMany(n => n.Output),
        ];
        return body.Node.SelectMany(Reads).Concat(body.Output.Select(o => o.Name)).Where(name => !own.Contains(name));
    }

    /// <summary>A node in words, for messages.</summary>
    public static string Title(this NodeProto node) => node.Name.Length > 0 ? $"node '{node.Name}' ({node.OpType})"
        : $"the {node.OpType} node that makes '{node.Output.FirstOrDefault()}'";
}
