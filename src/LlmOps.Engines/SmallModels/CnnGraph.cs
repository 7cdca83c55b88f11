using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.SmallModels;

/// <summary>Input <c>image [batch, 1, height, width]</c> from 0 to 1; output <c>logits [batch, labels]</c>.</summary>
internal static class CnnGraph
{
    public const string Image = "image", Logits = "logits";

    public static void Add(GraphProto graph, OnnxWriter writer, CnnClassifierConfig config, SafetensorsFile weights)
    {
        var layers = new ImageGraph(graph, writer, weights);
        graph.Input.Add(Value(Image, ElementTypes.Float, "batch", 1, config.Height, config.Width));
        var x = Stage(layers, "conv2", Stage(layers, "conv1", Image));
        x = layers.Add("Relu", "dense", [layers.Dense(layers.Reshape(x, "flat", 0, -1), "dense")]);
        layers.Output(layers.Dense(x, "head"), Logits, "batch", config.Labels.Count);
    }

    private static string Stage(ImageGraph layers, string name, string input) =>
        layers.Add("MaxPool", name, [layers.Add("Relu", name, [layers.Convolve(input, name)])], Attribute("kernel_shape", [2, 2]), Attribute("strides", [2, 2]));
}
