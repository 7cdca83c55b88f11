using Google.Protobuf;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Short forms for making nodes, attributes and graph inputs.</summary>
internal static class Nodes
{
    public const string Contrib = "com.microsoft";

    public static NodeProto Node(string op, string name, string[] inputs, string[] outputs, params AttributeProto[] attributes) =>
        Node("", op, name, inputs, outputs, attributes);

    public static NodeProto Node(string domain, string op, string name, string[] inputs, string[] outputs, params AttributeProto[] attributes) =>
        new() { Domain = domain, OpType = op, Name = name, Input = { inputs }, Output = { outputs }, Attribute = { attributes } };

    public static AttributeProto Attribute(string name, long value) => new() { Name = name, I = value, Type = 2 };
    public static AttributeProto Attribute(string name, float value) => new() { Name = name, F = value, Type = 1 };
    public static AttributeProto Attribute(string name, string value) => new() { Name = name, S = ByteString.CopyFromUtf8(value), Type = 3 };
    public static AttributeProto Attribute(string name, params long[] values) => new() { Name = name, Ints = { values }, Type = 7 };

    public static long Integer(this NodeProto node, string attribute, long otherwise) =>
        node.Attribute.FirstOrDefault(a => a.Name == attribute) is { } found ? found.I : otherwise;

    public static float Real(this NodeProto node, string attribute, float otherwise) =>
        node.Attribute.FirstOrDefault(a => a.Name == attribute) is { } found ? found.F : otherwise;

    /// <summary>A graph input or output; a dimension is a number, or a name when it varies.</summary>
    public static ValueInfoProto Value(string name, int type, params object[] dimensions)
    {
        var shape = new TensorShapeProto();
        foreach (var dimension in dimensions)
            shape.Dim.Add(dimension is string symbol ? new Dimension { DimParam = symbol } : new Dimension { DimValue = Convert.ToInt64(dimension, null) });
        return new() { Name = name, Type = new() { TensorType = new() { ElemType = type, Shape = shape } } };
    }
}
