using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// The noise predictor of a diffusion. Inputs: <c>sample [batch, 1, size, size]</c>, the noisy image, and <c>timestep [batch]</c> (int64, from 0). Output:
/// <c>noise</c> like the sample. The loop over steps is <see cref="DiffusionSampler"/>'s: it differs from use to use, the predictor does not.
/// </summary>
internal static class DiffusionGraph
{
    public const string Sample = "sample", Timestep = "timestep", Noise = "noise";

    public static void Add(GraphProto graph, OnnxWriter writer, DiffusionConfig config, SafetensorsFile weights)
    {
        var layers = new ImageGraph(graph, writer, weights);
        graph.Input.Add(Value(Sample, ElementTypes.Float, "batch", 1, config.ImageSize, config.ImageSize));
        graph.Input.Add(Value(Timestep, ElementTypes.Int64, "batch"));
        // A table of the embedding keeps large angles out of the graph, whose sines 16 bits could not hold.
        string time = layers.Add("Gather", "time", [layers.Table("time.table", config.TimeTable(), config.Timesteps, config.TimeFeatures), Timestep], Attribute("axis", 0));
        time = layers.Silu(layers.Dense(layers.Silu(layers.Dense(time, "time.dense1"), "time.dense1"), "time.dense2"), "time.dense2");
        string noise = config.UNet ? UNet(layers, config, time) : Perceptron(layers, config, time);
        layers.Output(noise, Noise, "batch", 1, config.ImageSize, config.ImageSize);
    }

    private static string Perceptron(ImageGraph layers, DiffusionConfig config, string time)
    {
        string h = layers.Reshape(Sample, "flat", 0, -1);
        foreach (string layer in new[] { "dense1", "dense2" })
            h = layers.Silu(layers.Add("Add", layer, [layers.Dense(h, layer), layers.Dense(time, $"{layer}.time")]), layer);
        return layers.Reshape(layers.Dense(h, "output"), "square", 0, 1, config.ImageSize, config.ImageSize);
    }

    private static string UNet(ImageGraph layers, DiffusionConfig config, string time)
    {
        long side = config.ImageSize;
        string full = Block("down0", layers.Convolve(Sample, "input"), side);
        string half = Block("down1", layers.Convolve(full, "shrink0", 2), side / 2);
        string quarter = Block("middle", layers.Convolve(half, "shrink1", 2), side / 4);
        half = Block("up1", layers.Add("Concat", "up1", [layers.Enlarge(quarter, "up1.enlarge"), half], Attribute("axis", 1)), side / 2);
        full = Block("up0", layers.Add("Concat", "up0", [layers.Enlarge(half, "up0.enlarge"), full], Attribute("axis", 1)), side);
        return layers.Convolve(layers.Silu(Norm(full, "norm", config.Width, side), "norm"), "output");

        string Block(string name, string x, long at)
        {
            var (_, inputs, outputs) = config.Blocks.First(b => b.Name == name);
            string h = layers.Convolve(layers.Silu(Norm(x, $"{name}.norm1", inputs, at), $"{name}.norm1"), $"{name}.conv1");
            h = layers.Add("Add", $"{name}.time", [h, layers.Reshape(layers.Dense(time, $"{name}.time"), $"{name}.time", 0, outputs, 1, 1)]);
            h = layers.Convolve(layers.Silu(Norm(h, $"{name}.norm2", outputs, at), $"{name}.norm2"), $"{name}.conv2");
            return layers.Add("Add", name, [h, inputs == outputs ? x : layers.Convolve(x, $"{name}.skip")]);
        }

        string Norm(string x, string layer, int channels, long at) => layers.GroupNorm(x, layer, DiffusionConfig.Groups, (float)DiffusionConfig.NormEpsilon, channels, at);
    }
}
