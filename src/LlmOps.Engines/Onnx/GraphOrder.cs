using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Puts nodes into an order in which each comes after those that it reads, as the format asks; otherwise the order stays.</summary>
internal static class GraphOrder
{
    public static List<NodeProto> Sort(IReadOnlyList<NodeProto> nodes)
    {
        var makers = new Dictionary<string, int>();
        foreach (var (i, node) in nodes.Index())
            foreach (var output in node.Output.Where(o => o.Length > 0))
                makers[output] = i;
        var needed = nodes.Select(node => node.Input.Concat(node.Bodies().SelectMany(GraphCheck.Captured)).Where(makers.ContainsKey).Select(name => makers[name]).ToHashSet()).ToList();
        var readers = nodes.Select(_ => new List<int>()).ToList();
        foreach (var (i, before) in needed.Index())
            foreach (var maker in before)
                readers[maker].Add(i);
        var ready = new PriorityQueue<int, int>(needed.Index().Where(n => n.Item.Count == 0).Select(n => (n.Index, n.Index)));
        var sorted = new List<NodeProto>(nodes.Count);
        while (ready.TryDequeue(out var next, out _))
        {
            sorted.Add(nodes[next]);
            foreach (var reader in readers[next])
                if (needed[reader].Remove(next) && needed[reader].Count == 0)
                    ready.Enqueue(reader, reader);
        }
        return sorted.Count == nodes.Count ? sorted : throw new InvalidModelException("The rewritten graph has a cycle.");
    }
}
