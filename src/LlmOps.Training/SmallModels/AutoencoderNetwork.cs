using LlmOps.Engines.SmallModels;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.SmallModels;

/// <summary>Encoder and decoder of an autoencoder as functions of its tensors, in whatever float type they have.</summary>
/// <param name="config">Sizes.</param>
/// <param name="weights">A tensor by its name in <see cref="AutoencoderConfig.Tensors"/>.</param>
internal sealed class AutoencoderNetwork(AutoencoderConfig config, Func<string, Tensor> weights)
{
    /// <summary>Mean [n, latent] of the code of images [n, pixels] and, variational, the logarithm of its variance.</summary>
    public (Tensor Mean, Tensor? LogVariance) Encode(Tensor images)
    {
        Tensor x = config.Convolutional
            ? F.relu(Convolve(F.relu(Convolve(images.view(-1, 1, config.ImageSize, config.ImageSize), "encoder.conv1", 2)), "encoder.conv2", 2)).flatten(1)
            : F.relu(Dense(F.relu(Dense(images, "encoder.dense1")), "encoder.dense2"));
        return (Dense(x, "encoder.mean"), config.Variational ? Dense(x, "encoder.log_variance") : null);
    }

    /// <summary>Logits [n, pixels] of codes [n, latent]; their sigmoid is the image.</summary>
    public Tensor Decode(Tensor code)
    {
        Tensor x = F.relu(Dense(code, "decoder.input"));
        if (!config.Convolutional)
            return Dense(F.relu(Dense(x, "decoder.dense1")), "decoder.dense2");
        int quarter = config.ImageSize / 4;
        x = F.relu(Convolve(Enlarge(x.view(-1, 2 * config.Width, quarter, quarter)), "decoder.conv1", 1));
        return Convolve(Enlarge(x), "decoder.conv2", 1).flatten(1);
    }

    private Tensor Dense(Tensor x, string name) => F.linear(x, weights($"{name}.weight"), weights($"{name}.bias"));

    private Tensor Convolve(Tensor x, string name, long stride) => F.conv2d(x, weights($"{name}.weight"), weights($"{name}.bias"), [stride, stride], [1, 1]);

    private static Tensor Enlarge(Tensor x) => Pixels.Double(x);
}
