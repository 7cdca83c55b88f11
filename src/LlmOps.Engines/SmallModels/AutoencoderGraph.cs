using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Onnx.Wire;
using static LlmOps.Engines.Onnx.Nodes;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// Encoder and decoder of an autoencoder in one graph. Inputs: <c>image [batch, 1, size, size]</c>, 0 to 1, and <c>latent_shift [batch, latent]</c>, which is
/// added to the code before it is decoded: 0 reconstructs, σ · noise samples the posterior, and z − latent decodes any code z. Outputs: <c>reconstruction</c>
/// like the image, <c>latent</c> and, variational, <c>log_variance</c>, both [batch, latent].
/// </summary>
internal static class AutoencoderGraph
{
    public const string Image = "image", Shift = "latent_shift", Reconstruction = "reconstruction", Latent = "latent", LogVariance = "log_variance";

    public static void Add(GraphProto graph, OnnxWriter writer, AutoencoderConfig config, SafetensorsFile weights)
    {
        var layers = new ImageGraph(graph, writer, weights);
        graph.Input.Add(Value(Image, ElementTypes.Float, "batch", 1, config.ImageSize, config.ImageSize));
        graph.Input.Add(Value(Shift, ElementTypes.Float, "batch", config.Latent));
        string x = config.Convolutional
            ? layers.Reshape(Relu(layers.Convolve(Relu(layers.Convolve(Image, "encoder.conv1", 2), "encoder.conv1"), "encoder.conv2", 2), "encoder.conv2"), "encoder.flat", 0, -1)
            : Relu(layers.Dense(Relu(layers.Dense(layers.Reshape(Image, "encoder.flat", 0, -1), "encoder.dense1"), "encoder.dense1"), "encoder.dense2"), "encoder.dense2");
        string mean = layers.Dense(x, "encoder.mean");
        string code = layers.Add("Add", "code", [mean, Shift]);
        layers.Output(layers.Add("Sigmoid", "pixels", [Decode(layers, config, code)]), Reconstruction, "batch", 1, config.ImageSize, config.ImageSize);
        layers.Output(mean, Latent, "batch", config.Latent);
        if (config.Variational)
            layers.Output(layers.Dense(x, "encoder.log_variance"), LogVariance, "batch", config.Latent);

        string Relu(string value, string layer) => layers.Add("Relu", layer, [value]);
    }

    private static string Decode(ImageGraph layers, AutoencoderConfig config, string code)
    {
        long quarter = config.ImageSize / 4;
        string x = Relu(layers.Dense(code, "decoder.input"), "decoder.input");
        if (!config.Convolutional)
        {
            x = Relu(layers.Dense(x, "decoder.dense1"), "decoder.dense1");
            return layers.Reshape(layers.Dense(x, "decoder.dense2"), "decoder.image", 0, 1, config.ImageSize, config.ImageSize);
        }
        x = layers.Enlarge(layers.Reshape(x, "decoder.square", 0, 2 * config.Width, quarter, quarter), "decoder.half");
        x = Relu(layers.Convolve(x, "decoder.conv1"), "decoder.conv1");
        return layers.Convolve(layers.Enlarge(x, "decoder.full"), "decoder.conv2");

        string Relu(string value, string layer) => layers.Add("Relu", layer, [value]);
    }
}
