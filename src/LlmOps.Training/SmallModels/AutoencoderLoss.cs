using LlmOps.Engines.SmallModels;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.SmallModels;

/// <summary>The terms of an autoencoder's loss, in nats per image.</summary>
internal static class AutoencoderLoss
{
    /// <summary>Reconstruction [n] of images [n, pixels] from logits: cross-entropy per pixel, or squared error of the sigmoid, summed over pixels.</summary>
    public static Tensor Reconstruction(ReconstructionLoss kind, Tensor logits, Tensor images) => kind switch
    {
        ReconstructionLoss.Bernoulli => F.binary_cross_entropy_with_logits(logits, images, reduction: nn.Reduction.None).sum(1),
        _ => (logits.sigmoid() - images).square().sum(1),
    };

    /// <summary>KL(N(μ, σ²) ‖ N(0, 1)) summed over the code, [n]: ½ Σ (μ² + σ² − 1 − ln σ²) (Kingma and Welling 2014, appendix B).</summary>
    public static Tensor Divergence(Tensor mean, Tensor logVariance) => 0.5 * (mean.square() + logVariance.exp() - 1 - logVariance).sum(1);

    /// <summary>A code drawn with given normal noise, differentiable in mean and variance: μ + σ ε.</summary>
    public static Tensor Reparameterise(Tensor mean, Tensor logVariance, Tensor noise) => mean + (0.5 * logVariance).exp() * noise;

    /// <summary>Reconstruction and divergence [n] of images, the second null for a plain autoencoder.</summary>
    /// <param name="network">The model.</param>
    /// <param name="config">Its loss.</param>
    /// <param name="images">[n, pixels], 0 to 1.</param>
    /// <param name="noise">[n, latent] normal noise; null takes the mean of the code.</param>
    public static (Tensor Reconstruction, Tensor? Divergence) Of(AutoencoderNetwork network, AutoencoderConfig config, Tensor images, Tensor? noise)
    {
        var (mean, logVariance) = network.Encode(images);
        Tensor code = logVariance is null || noise is null ? mean : Reparameterise(mean, logVariance, noise);
        return (Reconstruction(config.Reconstruction, network.Decode(code), images), logVariance is null ? null : Divergence(mean, logVariance));
    }
}
