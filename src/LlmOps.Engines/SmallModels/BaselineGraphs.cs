using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.SmallModels;

/// <summary>Input <c>features [batch, features]</c>; outputs <c>prediction [batch, 1]</c> of a regression, <c>margins [batch, labels]</c> of a support vector machine.</summary>
internal static class BaselineGraphs
{
    public const string Features = "features", Prediction = "prediction", Margins = "margins";

    public static void Add(GraphProto graph, OnnxWriter writer, LinearRegressionConfig config, SafetensorsFile weights)
    {
        var layers = new ImageGraph(graph, writer, weights);
        graph.Input.Add(Value(Features, ElementTypes.Float, "batch", config.Features));
        layers.Output(layers.Dense(Features, "linear"), Prediction, "batch", 1);
    }

    public static void Add(GraphProto graph, OnnxWriter writer, KernelSvmConfig config, SafetensorsFile weights)
    {
        var layers = new ImageGraph(graph, writer, weights);
        graph.Input.Add(Value(Features, ElementTypes.Float, "batch", config.Features));
        var waves = layers.Add("Cos", "kernel", [layers.Dense(Features, "kernel")]);
        var scaled = layers.Add("Mul", "kernel", [waves, layers.Table("/constants/kernel_scale", [(float)Math.Sqrt(2.0 / config.RandomFeatures)])]);
        layers.Output(layers.Dense(scaled, "svm"), Margins, "batch", config.Labels.Count);
    }
}
