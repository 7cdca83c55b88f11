using System.Globalization;
using System.Text;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>An input or output of a graph.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ElementType">For example <c>float32</c>; <c>no tensor</c> for sequences, maps and optionals.</param>
/// <param name="Shape">Each axis as a number, as the name of a free dimension, or <c>?</c>; null when not declared.</param>
public sealed record GraphValue(string Name, string ElementType, IReadOnlyList<string>? Shape);

/// <summary>Tensors of one element type.</summary>
/// <param name="ElementType">For example <c>float32</c>.</param>
/// <param name="Tensors">How many.</param>
/// <param name="Elements">Values in them.</param>
/// <param name="Bytes">Bytes in them; 0 for texts.</param>
public sealed record ParameterCount(string ElementType, int Tensors, long Elements, long Bytes);

/// <summary>What an ONNX file holds.</summary>
/// <param name="FileName">Name of the graph file.</param>
/// <param name="IrVersion">Version of the file format.</param>
/// <param name="Opsets">Version of every operator set, by domain; ONNX's own is <c>ai.onnx</c>.</param>
/// <param name="Producer">Program that wrote it, with version.</param>
/// <param name="Metadata">The file's own key and value pairs.</param>
/// <param name="Inputs">Inputs that a caller has to give.</param>
/// <param name="Outputs">Outputs in their order.</param>
/// <param name="Nodes">Nodes by operator, bodies of control flow included; operators outside of ONNX's own domain as <c>domain.Op</c>.</param>
/// <param name="Functions">Functions that the file brings along, as <c>domain.Name</c>.</param>
/// <param name="Parameters">Stored tensors by element type, constants of nodes included.</param>
/// <param name="SizeBytes">Bytes of the graph file and its external files.</param>
/// <param name="ExternalFiles">Names of the external files.</param>
/// <param name="UnsupportedOperators">Operators that ONNX Runtime does not know at the file's opset, as <c>domain.Op</c>; looked for when loading fails.</param>
/// <param name="LoadError">Why ONNX Runtime does not load the file, in its own words; null when it does.</param>
public sealed record OnnxInspection(string FileName, long IrVersion, IReadOnlyDictionary<string, long> Opsets, string Producer, IReadOnlyDictionary<string, string> Metadata,
    IReadOnlyList<GraphValue> Inputs, IReadOnlyList<GraphValue> Outputs, IReadOnlyDictionary<string, int> Nodes, IReadOnlyList<string> Functions,
    IReadOnlyList<ParameterCount> Parameters, long SizeBytes, IReadOnlyList<string> ExternalFiles, IReadOnlyList<string> UnsupportedOperators, string? LoadError)
{
    internal static OnnxInspection Of(OnnxModel model)
    {
        var (proto, graph) = (model.Proto, model.Proto.Graph);
        var nodes = graph.AllNodes().Concat(proto.Functions.SelectMany(f => f.Node).SelectMany(n => n.Bodies().SelectMany(ModelTensors.AllNodes).Prepend(n))).ToList();
        var error = LoadFailure(model);
        return new(model.Label, proto.IrVersion, Last(proto.OpsetImport, o => Domain(o.Domain), o => o.Version), $"{proto.ProducerName} {proto.ProducerVersion}".Trim(),
            Last(proto.MetadataProps, p => p.Key, p => p.Value), [.. graph.Input.Where(i => !model.Initializers.ContainsKey(i.Name)).Select(Value)], [.. graph.Output.Select(Value)],
            nodes.CountBy(n => Name(n.Domain, n.OpType)).OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).ToDictionary(c => c.Key, c => c.Value),
            [.. proto.Functions.Select(f => $"{f.Domain}.{f.Name}")], Count(proto), model.SizeOnDisk(), model.ExternalFiles(),
            error is null ? [] : OperatorSupport.Unknown(proto, nodes), error);
    }

    private static Dictionary<string, TValue> Last<T, TValue>(IEnumerable<T> items, Func<T, string> key, Func<T, TValue> value)
    {
        var result = new Dictionary<string, TValue>();
        foreach (var item in items)
            result[key(item)] = value(item);
        return result;
    }

    internal static string Name(string domain, string op) => domain is "" or "ai.onnx" ? op : $"{domain}.{op}";

    private static string Domain(string domain) => domain.Length == 0 ? "ai.onnx" : domain;

    private static string? LoadFailure(OnnxModel model)
    {
        try
        {
            GraphSession.Open(model.Path, new SessionSettings(Threads: 1, OptimizationLevel: "None")).Dispose();
            return null;
        }
        catch (InvalidModelException e)
        {
            return e.Message;
        }
    }

    private static GraphValue Value(ValueInfoProto value) => value.Type?.TensorType is { } tensor
        ? new(value.Name, ElementTypes.Name(tensor.ElemType), tensor.Shape is null ? null
            : [.. tensor.Shape.Dim.Select(d => d.HasDimValue ? d.DimValue.ToString(CultureInfo.InvariantCulture) : d.DimParam.Length > 0 ? d.DimParam : "?")])
        : new(value.Name, "no tensor", null);

    private static List<ParameterCount> Count(ModelProto proto) => [.. proto.AllTensors().GroupBy(t => t.DataType).OrderBy(g => g.Key).Select(group =>
    {
        long elements = group.Sum(t => t.ElementCount());
        return new ParameterCount(ElementTypes.Name(group.Key), group.Count(), elements,
            group.Key == ElementTypes.String ? 0 : group.Sum(t => ElementTypes.Bytes(t.DataType, t.ElementCount())));
    })];

    /// <summary>The facts in a few lines.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{FileName}: {SizeBytes / 1e6:f2} MB, IR {IrVersion}, opset {string.Join(", ", Opsets.Select(o => $"{o.Key} {o.Value}"))}, by {Producer}");
        foreach (var (kind, values) in new[] { ("in ", Inputs), ("out", Outputs) })
            foreach (var value in values)
                text.AppendLine(CultureInfo.InvariantCulture, $"{kind} {value.Name}: {value.ElementType} [{(value.Shape is null ? "not declared" : string.Join(", ", value.Shape))}]");
        text.AppendLine(CultureInfo.InvariantCulture, $"{Nodes.Values.Sum()} nodes: {string.Join(", ", Nodes.Select(n => $"{n.Value} {n.Key}"))}");
        foreach (var count in Parameters)
            text.AppendLine(CultureInfo.InvariantCulture, $"{count.ElementType}: {count.Elements} values in {count.Tensors} tensors, {count.Bytes} bytes");
        if (LoadError is not null)
            text.AppendLine(CultureInfo.InvariantCulture, $"ONNX Runtime does not load it{(UnsupportedOperators.Count == 0 ? "" : $" (unknown: {string.Join(", ", UnsupportedOperators)})")}: {LoadError}");
        return text.ToString().TrimEnd();
    }
}
