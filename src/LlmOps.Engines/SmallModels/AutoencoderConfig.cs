using System.Text.Json.Serialization;

namespace LlmOps.Engines.SmallModels;

/// <summary>How an autoencoder's output is compared with the image.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ReconstructionLoss>))]
public enum ReconstructionLoss
{
    /// <summary>Cross-entropy of each pixel, read as the probability that a binary pixel is on.</summary>
    Bernoulli,

    /// <summary>Sum of squared differences: the negative log-likelihood of a Gaussian with variance ½, up to a constant.</summary>
    SquaredError,
}

/// <summary>
/// An autoencoder for square gray images with values from 0 to 1: encoder to a few latent numbers, decoder back to an image. Variational (Kingma and
/// Welling 2014), the encoder gives mean and log-variance of a Gaussian instead of a point.
/// </summary>
public abstract record AutoencoderConfig : SmallModelConfig
{
    /// <summary>Pixels per side; a multiple of 4.</summary>
    public int ImageSize { get; init; } = 16;

    /// <summary>Latent numbers.</summary>
    public int Latent { get; init; } = 8;

    /// <summary>True for convolutions, false for fully connected layers.</summary>
    public bool Convolutional { get; init; } = true;

    /// <summary>Channels of the first convolution (the second has twice as many), or neurons of the first dense layer (the second has half as many).</summary>
    public int Width { get; init; } = 16;

    /// <summary>True for a Gaussian code.</summary>
    [JsonIgnore]
    public abstract bool Variational { get; }

    /// <summary>The loss it was trained with, which its evaluation uses again.</summary>
    public ReconstructionLoss Reconstruction { get; init; }

    /// <summary>Pixels of an image.</summary>
    [JsonIgnore]
    public int Pixels => ImageSize * ImageSize;

    /// <summary>Values between the last convolution and the code.</summary>
    [JsonIgnore]
    public int Flat => 2 * Width * (ImageSize / 4) * (ImageSize / 4);

    /// <summary>Names and shapes of all tensors, as PyTorch lays them out: [outputs, inputs] and [outputs, inputs, height, width].</summary>
    public override IReadOnlyList<(string Name, long[] Shape)> Tensors()
    {
        var tensors = new List<(string, long[])>();
        void Add(string name, params long[] shape)
        {
            tensors.Add(($"{name}.weight", shape));
            tensors.Add(($"{name}.bias", [shape[0]]));
        }

        int last = Convolutional ? Flat : Width / 2;
        if (Convolutional)
        {
            Add("encoder.conv1", Width, 1, 3, 3);
            Add("encoder.conv2", 2 * Width, Width, 3, 3);
        }
        else
        {
            Add("encoder.dense1", Width, Pixels);
            Add("encoder.dense2", Width / 2, Width);
        }
        Add("encoder.mean", Latent, last);
        if (Variational)
            Add("encoder.log_variance", Latent, last);
        Add("decoder.input", last, Latent);
        if (Convolutional)
        {
            Add("decoder.conv1", Width, 2 * Width, 3, 3);
            Add("decoder.conv2", 1, Width, 3, 3);
        }
        else
        {
            Add("decoder.dense1", Width, Width / 2);
            Add("decoder.dense2", Pixels, Width);
        }
        return tensors;
    }

    /// <inheritdoc/>
    public override void EnsureValid()
    {
        if (ImageSize is < 4 or > 256 || ImageSize % 4 != 0)
            throw new ArgumentException($"ImageSize is {ImageSize}; it must be a multiple of 4, up to 256.");
        if (Latent < 1 || Latent > Pixels)
            throw new ArgumentException($"Latent is {Latent}; it must be 1 to {Pixels}.");
        if (Width < 2 || Width > 4096)
            throw new ArgumentException($"Width is {Width}; it must be 2 to 4096.");
    }
}

/// <summary>An autoencoder whose code is a point.</summary>
public sealed record PlainAutoencoderConfig : AutoencoderConfig
{
    internal const string ModelType = "autoencoder";

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Kind => "autoencoder";

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool Variational => false;
}

/// <summary>An autoencoder whose code is a Gaussian.</summary>
public sealed record VariationalAutoencoderConfig : AutoencoderConfig
{
    internal const string ModelType = "vae";

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Kind => "variational autoencoder";

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool Variational => true;
}
