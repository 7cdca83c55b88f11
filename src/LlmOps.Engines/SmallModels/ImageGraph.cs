using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.SmallModels;

/// <summary>Appends the layers of image models to a graph, with weights from a checkpoint. Every method returns the name of the tensor that it makes.</summary>
internal sealed class ImageGraph(GraphProto graph, OnnxWriter writer, SafetensorsFile weights)
{
    private readonly HashSet<string> written = [];

    public GraphProto Graph => graph;

    /// <summary>y = x Wᵀ + b for x [n, inputs].</summary>
    public string Dense(string x, string layer) => Add("Gemm", layer, [x, Weight($"{layer}.weight"), Weight($"{layer}.bias")], Attribute("transB", 1));

    /// <summary>Convolution with the checkpoint's kernel; 3 × 3 is padded by 1.</summary>
    public string Convolve(string x, string layer, long stride = 1)
    {
        long side = weights.Tensors[$"{layer}.weight"].Shape[^1], pad = side / 2;
        return Add("Conv", layer, [x, Weight($"{layer}.weight"), Weight($"{layer}.bias")],
            Attribute("kernel_shape", [side, side]), Attribute("strides", [stride, stride]), Attribute("pads", [pad, pad, pad, pad]));
    }

    /// <summary>Every pixel becomes 2 × 2 equal ones.</summary>
    public string Enlarge(string x, string name)
    {
        string scales = writer.Constant<float>(graph, "/constants/twice", ElementTypes.Float, [4], [1, 1, 2, 2]);
        return Add("Resize", name, [x, "", scales], Attribute("mode", "nearest"), Attribute("coordinate_transformation_mode", "asymmetric"), Attribute("nearest_mode", "floor"));
    }

    /// <summary>Group norm as instance norm over groups laid side by side: a form that has a kernel in every runtime.</summary>
    public string GroupNorm(string x, string layer, long groups, float epsilon, long channels, long side)
    {
        string ones = writer.Constant<float>(graph, $"/constants/ones_{groups}", ElementTypes.Float, [groups], [.. Enumerable.Repeat(1f, (int)groups)]);
        string zeros = writer.Constant<float>(graph, $"/constants/zeros_{groups}", ElementTypes.Float, [groups], new float[groups]);
        string normed = Add("InstanceNormalization", $"{layer}/groups", [Reshape(x, $"{layer}/split", 0, groups, -1), ones, zeros], Attribute("epsilon", epsilon));
        string scaled = Add("Mul", $"{layer}/scale", [Reshape(normed, $"{layer}/join", 0, channels, side, side), Weight($"{layer}.weight", channels, 1, 1)]);
        return Add("Add", $"{layer}/shift", [scaled, Weight($"{layer}.bias", channels, 1, 1)]);
    }

    /// <summary>x · sigmoid(x).</summary>
    public string Silu(string x, string name) => Add("Mul", $"{name}/silu", [x, Add("Sigmoid", $"{name}/sigmoid", [x])]);

    /// <summary>0 keeps a size, −1 takes what is left.</summary>
    public string Reshape(string x, string name, params long[] shape) =>
        Add("Reshape", name, [x, writer.Constant<long>(graph, $"/constants/shape_{string.Join('_', shape)}", ElementTypes.Int64, [shape.Length], shape)]);

    /// <summary>A tensor of numbers that is no weight of the checkpoint.</summary>
    public string Table(string name, float[] values, params long[] shape) => writer.Constant<float>(graph, name, ElementTypes.Float, shape, values);

    public string Add(string op, string name, string[] inputs, params AttributeProto[] attributes)
    {
        graph.Node.Add(Node(op, $"/{name}/{op}", inputs, [$"/{name}/{op}/output_0"], attributes));
        return $"/{name}/{op}/output_0";
    }

    /// <summary>Gives a tensor the name of an output.</summary>
    public void Output(string x, string name, params object[] dimensions)
    {
        graph.Node.Add(Node("Identity", $"/{name}/Identity", [x], [name]));
        graph.Output.Add(Value(name, ElementTypes.Float, dimensions));
    }

    private string Weight(string name, params long[] shape)
    {
        if (written.Add(name))
            graph.Initializer.Add(writer.Write<float>(name, ElementTypes.Float, shape.Length > 0 ? shape : [.. weights.Tensors[name].Shape], weights.ReadFloat32(name)));
        return name;
    }
}
