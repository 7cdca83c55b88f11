using System.Text.Json.Serialization;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// A model that predicts the noise in a noisy square gray image (values −1 to 1) at a step: a small U-Net with residual blocks (Ho et al. 2020) at full and half
/// resolution and a block at a quarter, or, for data without neighbourhoods, a multilayer perceptron. Both learn of the step through a sinusoidal embedding.
/// </summary>
public sealed record DiffusionConfig : SmallModelConfig
{
    internal const string ModelType = "ddpm";

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Kind => "denoising diffusion";

    /// <summary>Pixels per side; a multiple of 4 with <see cref="UNet"/>.</summary>
    public int ImageSize { get; init; } = 16;

    /// <summary>True for the U-Net, false for the perceptron.</summary>
    public bool UNet { get; init; } = true;

    /// <summary>Channels at full resolution, a multiple of 8 (below it twice as many), or neurons of each of the perceptron's layers.</summary>
    public int Width { get; init; } = 16;

    /// <summary>Steps T of the chain.</summary>
    public int Timesteps { get; init; } = 200;

    /// <summary>Noise schedule, <c>linear</c> or <c>cosine</c>.</summary>
    public string Schedule { get; init; } = "cosine";

    /// <summary>Values of one example.</summary>
    [JsonIgnore]
    public int Pixels => ImageSize * ImageSize;

    /// <summary>Width of the sinusoidal embedding; even.</summary>
    [JsonIgnore]
    public int TimeFeatures => 32;

    /// <summary>Width of the embedding after its two layers.</summary>
    [JsonIgnore]
    public int TimeWidth => 64;

    /// <summary>Channels that share mean and variance in a group norm.</summary>
    public const int Groups = 8;

    /// <summary>ε of the group norms.</summary>
    public const double NormEpsilon = 1e-5;

    /// <summary>The residual blocks of the U-Net: name, channels in and out.</summary>
    [JsonIgnore]
    public IReadOnlyList<(string Name, int In, int Out)> Blocks =>
        [("down0", Width, Width), ("down1", 2 * Width, 2 * Width), ("middle", 2 * Width, 2 * Width), ("up1", 4 * Width, 2 * Width), ("up0", 3 * Width, Width)];

    /// <summary>Names and shapes of all tensors, as PyTorch lays them out.</summary>
    public override IReadOnlyList<(string Name, long[] Shape)> Tensors()
    {
        var tensors = new List<(string, long[])>();
        void Add(string name, params long[] shape)
        {
            tensors.Add(($"{name}.weight", shape));
            tensors.Add(($"{name}.bias", [shape[0]]));
        }

        Add("time.dense1", TimeWidth, TimeFeatures);
        Add("time.dense2", TimeWidth, TimeWidth);
        if (!UNet)
        {
            Add("dense1", Width, Pixels);
            Add("dense1.time", Width, TimeWidth);
            Add("dense2", Width, Width);
            Add("dense2.time", Width, TimeWidth);
            Add("output", Pixels, Width);
            return tensors;
        }
        Add("input", Width, 1, 3, 3);
        foreach (var (name, inputs, outputs) in Blocks)
        {
            Add($"{name}.norm1", inputs);
            Add($"{name}.conv1", outputs, inputs, 3, 3);
            Add($"{name}.time", outputs, TimeWidth);
            Add($"{name}.norm2", outputs);
            Add($"{name}.conv2", outputs, outputs, 3, 3);
            if (inputs != outputs)
                Add($"{name}.skip", outputs, inputs, 1, 1);
        }
        Add("shrink0", 2 * Width, Width, 3, 3);
        Add("shrink1", 2 * Width, 2 * Width, 3, 3);
        Add("norm", Width);
        Add("output", 1, Width, 3, 3);
        return tensors;
    }

    /// <summary>
    /// Sinusoidal embedding of every step [T · <see cref="TimeFeatures"/>] (Vaswani et al. 2017): sines, then cosines, of t / 10000^(i / (half − 1)).
    /// </summary>
    public float[] TimeTable()
    {
        int half = TimeFeatures / 2;
        var table = new float[Timesteps * TimeFeatures];
        for (int t = 0; t < Timesteps; t++)
            for (int i = 0; i < half; i++)
            {
                double angle = t * Math.Pow(10000, -(double)i / (half - 1));
                (table[t * TimeFeatures + i], table[t * TimeFeatures + half + i]) = ((float)Math.Sin(angle), (float)Math.Cos(angle));
            }
        return table;
    }

    /// <summary>The schedule of this model.</summary>
    public NoiseSchedule Noise() => NoiseSchedule.Named(Schedule, Timesteps);

    /// <inheritdoc/>
    public override void EnsureValid()
    {
        if (ImageSize is < 1 or > 256 || (UNet && ImageSize % 4 != 0))
            throw new ArgumentException($"ImageSize is {ImageSize}; it must be a multiple of 4, up to 256.");
        if (Width < 1 || Width > 4096 || (UNet && Width % Groups != 0))
            throw new ArgumentException($"Width is {Width}; it must be a multiple of {Groups}, up to 4096.");
        if (Timesteps > 10_000)
            throw new ArgumentException($"Timesteps is {Timesteps}; at most 10000 are possible.");
        _ = Noise();
    }
}
