using Google.Protobuf;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx.Wire;
using Microsoft.ML.OnnxRuntime;

namespace LlmOps.Engines.Onnx;

/// <summary>Asks ONNX Runtime about single operators, with models of one node: its error for a whole model names only the first.</summary>
internal static class OperatorSupport
{
    /// <summary>Operators that the runtime has no definition of at the model's opset, as <c>domain.Op</c>.</summary>
    public static IReadOnlyList<string> Unknown(ModelProto model, IEnumerable<NodeProto> nodes) =>
    [
        .. nodes.GroupBy(n => (n.Domain, n.OpType)).Where(g => !model.Functions.Any(f => f.Domain == g.Key.Domain && f.Name == g.Key.OpType))
            // Type errors are no answer to the question; the runtime looks for the definition first.
            .Where(g => Load(model, g.First(), _ => ElementTypes.Float) is { } error
                && (error.Contains("is not a registered function/op", StringComparison.Ordinal) || error.Contains("No Op registered", StringComparison.Ordinal)
                    || error.Contains("No opset import for domain", StringComparison.Ordinal)))
            .Select(g => OnnxInspection.Name(g.Key.Domain, g.Key.OpType)).Order(StringComparer.Ordinal),
    ];

    /// <summary>Whether the CPU provider can run the node with inputs of these types; shapes are left open.</summary>
    public static bool HasKernel(ModelProto model, NodeProto node, Func<string, int> typeOf) =>
        Load(model, node, typeOf) is not { } error || !(LacksKernel(error) || error.Contains("Type Error", StringComparison.Ordinal));

    /// <summary>Whether an error of the runtime says that it has no kernel for an operator and its types.</summary>
    public static bool LacksKernel(string error) => error.Contains("NotImplemented", StringComparison.Ordinal) || error.Contains("NOT_IMPLEMENTED", StringComparison.Ordinal);

    private static string? Load(ModelProto model, NodeProto node, Func<string, int> typeOf)
    {
        var single = node.Clone();
        var graph = new GraphProto { Name = "one", Node = { single } };
        foreach (var name in node.Input.Where(i => i.Length > 0).Distinct())
            graph.Input.Add(new ValueInfoProto { Name = name, Type = new() { TensorType = new() { ElemType = typeOf(name) } } });
        foreach (var name in node.Output.Where(o => o.Length > 0))
            graph.Output.Add(new ValueInfoProto { Name = name });
        var alone = new ModelProto { IrVersion = Math.Max(model.IrVersion, 4), Graph = graph, OpsetImport = { model.OpsetImport } };
        using var options = OnnxSession.Options(new SessionSettings(Threads: 1, OptimizationLevel: "None"));
        options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;
        try
        {
            new InferenceSession(alone.ToByteArray(), options).Dispose();
            return null;
        }
        catch (OnnxRuntimeException e)
        {
            return e.Message;
        }
    }
}
