using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;
using TorchSharp;

namespace LlmOps.Training.SmallModels;

/// <summary>
/// Trains an autoencoder on gray images: reconstruction loss and, variational, β times the divergence of the code from N(0, 1), with one reparameterised draw per image
/// (Kingma and Welling 2014; β as in Higgins et al. 2017). The loss is the negative ELBO in nats per image when β is 1.
/// </summary>
public sealed record Autoencoder : LoopOptions
{
    // Keeps the noise of held-out images apart from that of any step.
    private const int HeldOutStep = -2;
    private const int PartImages = 256;

    /// <summary>30 passes with batches of 64 at 2e-3.</summary>
    public Autoencoder() => (LearningRate, Epochs, BatchSize) = (2e-3, 30, 64);

    /// <summary>Latent numbers.</summary>
    public int Latent { get; init; } = 8;

    /// <summary>True for convolutions, false for fully connected layers.</summary>
    public bool Convolutional { get; init; } = true;

    /// <summary>Channels of the first convolution, or neurons of the first dense layer.</summary>
    public int Width { get; init; } = 16;

    /// <summary>True for a Gaussian code.</summary>
    public bool Variational { get; init; }

    /// <summary>How output and image are compared.</summary>
    public ReconstructionLoss Reconstruction { get; init; }

    /// <summary>Weight of the divergence.</summary>
    public double Beta { get; init; } = 1;

    /// <summary>Share of the run in which the weight of the divergence rises from 0: with all of it from the start, codes are often given up before the decoder can use them.</summary>
    public double BetaWarmupFraction { get; init; } = 0.2;

    /// <summary>Trains and writes a checkpoint folder. Continues from the work folder when it holds a checkpoint of the same options and data.</summary>
    /// <param name="samples">Square pictures of one size.</param>
    /// <param name="heldOut">Pictures that are measured and never trained on; empty for none.</param>
    /// <param name="targetFolder">Receives config.json and model.safetensors.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the pictures are none, not square or of different sizes.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        IReadOnlyList<Sample> samples, IReadOnlyList<Sample> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Validate();
        return TrainingThread.Run(Threads, () =>
        {
            var train = new ImageSet(samples, low: 0);
            ImageSet? held = heldOut.Count == 0 ? null : new ImageSet(ChooseHeldOut(heldOut), low: 0);
            AutoencoderConfig config = Config(train.Side);
            using FlatParameters parameters = SmallModelFolder.Parameters(config, trainable: true);
            StartingWeights.Fill(parameters, Seed);
            var network = new AutoencoderNetwork(config, name => parameters[name]);
            List<int[]> steps = train.Steps(this);
            var loop = new TrainingLoop(parameters, new LoopSettings(steps.Count, this, workFolder, RunKey.Of(this, "", train.ForKey())))
            {
                HeldOut = held is null ? null : () => HeldOut(network, config, held),
                Samples = () => Pictures(network, config, held ?? train),
            };
            TrainingReport report = loop.Run(step => Accumulate(network, config, train, steps[step], step, BetaAt(step, steps.Count), ct), progress, ct);
            return report with { WeightsSha256 = SmallModelFolder.Save(config, parameters, targetFolder) };
        });
    }

    /// <summary>Weight of the divergence at a step, counted from 0.</summary>
    internal double BetaAt(int step, int total) => BetaWarmupFraction == 0 ? Beta : Beta * Math.Min(1, (step + 1) / (BetaWarmupFraction * total));

    /// <summary>Adds the gradients of the mean loss of the images; the noise of an image is a function of seed, step and its index.</summary>
    internal Accumulated Accumulate(AutoencoderNetwork network, AutoencoderConfig config, ImageSet set, int[] indices, int step, double beta, CancellationToken ct)
    {
        double reconstruction = 0, divergence = 0;
        foreach (int[] part in indices.Chunk(MicroBatch > 0 ? MicroBatch : PartImages))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = torch.NewDisposeScope();
            var (loss, kl) = AutoencoderLoss.Of(network, config, set.Take(part), Noise(step, part));
            torch.Tensor total = loss.sum() / indices.Length;
            reconstruction += total.item<float>();
            if (kl is not null)
            {
                torch.Tensor mean = kl.sum() / indices.Length;
                divergence += mean.item<float>();
                total += beta * mean;
            }
            total.backward();
        }
        return new Accumulated(reconstruction + beta * divergence, indices.Length, Metrics(reconstruction, divergence, ("beta", beta)));
    }

    private Dictionary<string, double> HeldOut(AutoencoderNetwork network, AutoencoderConfig config, ImageSet held)
    {
        double reconstruction = 0, divergence = 0;
        foreach (int[] part in Enumerable.Range(0, held.Count).Chunk(PartImages))
        {
            using var scope = torch.NewDisposeScope();
            var (loss, kl) = AutoencoderLoss.Of(network, config, held.Take(part), Noise(HeldOutStep, part));
            reconstruction += loss.sum().item<float>() / held.Count;
            if (kl is not null) divergence += kl.sum().item<float>() / held.Count;
        }
        Dictionary<string, double> named = Metrics(reconstruction, divergence).ToDictionary(m => "held_out_" + m.Key, m => m.Value);
        named[TrainingLoop.HeldOutLoss] = reconstruction + Beta * divergence;
        return named;
    }

    private static IReadOnlyList<TrainingSample> Pictures(AutoencoderNetwork network, AutoencoderConfig config, ImageSet set)
    {
        float[] Encode(float[] images) => network.Encode(torch.tensor(images, [images.Length / config.Pixels, config.Pixels])).Mean.data<float>().ToArray();
        float[] Decode(float[] codes) => network.Decode(torch.tensor(codes, [codes.Length / config.Latent, config.Latent])).sigmoid().data<float>().ToArray();
        return TrainingPictures.Of(AutoencoderPictures.Make(config, [.. Enumerable.Range(0, set.Count).Select(i => set[i])], Encode, Decode));
    }

    private Dictionary<string, double> Metrics(double reconstruction, double divergence, params (string, double)[] more)
    {
        var metrics = new Dictionary<string, double> { ["reconstruction"] = reconstruction };
        if (!Variational) return metrics;
        metrics["kl"] = divergence;
        foreach (var (name, value) in more) metrics[name] = value;
        return metrics;
    }

    private torch.Tensor? Noise(int step, IReadOnlyList<int> indices)
    {
        if (!Variational) return null;
        var values = new float[indices.Count * Latent];
        foreach (var (row, index) in indices.Index()) new CounterRandom(Seed, step, index).Gaussian(values.AsSpan(row * Latent, Latent));
        return torch.tensor(values, [indices.Count, Latent]);
    }

    private AutoencoderConfig Config(int side)
    {
        AutoencoderConfig kind = Variational ? new VariationalAutoencoderConfig() : new PlainAutoencoderConfig();
        AutoencoderConfig config = kind with { ImageSize = side, Latent = Latent, Convolutional = Convolutional, Width = Width, Reconstruction = Reconstruction };
        config.EnsureValid();
        return config;
    }

    private void Validate()
    {
        Check.AtLeast(Latent, 1);
        Check.AtLeast(Width, 2);
        Check.Within(Beta, 0, 1000);
        Check.Within(BetaWarmupFraction, 0, 1);
        ValidateLoop();
    }
}
