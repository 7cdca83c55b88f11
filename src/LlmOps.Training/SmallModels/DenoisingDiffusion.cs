using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;
using TorchSharp;

namespace LlmOps.Training.SmallModels;

/// <summary>
/// Trains a denoising diffusion on gray images (Ho, Jain and Abbeel 2020, the simple loss): an image, a step and noise are drawn, and the model predicts the noise from the noisy
/// image; the loss is the mean squared error per pixel. What is saved is a running average of the weights.
/// </summary>
public sealed record DenoisingDiffusion : LoopOptions
{
    private const int HeldOutStep = -2;
    private const int PartImages = 128;

    /// <summary>20 passes with batches of 64 at 2e-3, averaged with decay 0.995.</summary>
    public DenoisingDiffusion() => (LearningRate, Epochs, BatchSize, EmaDecay) = (2e-3, 20, 64, 0.995);

    /// <summary>True for a U-Net, false for a perceptron.</summary>
    public bool UNet { get; init; } = true;

    /// <summary>Channels at full resolution (a multiple of 8), or neurons of a layer.</summary>
    public int Width { get; init; } = 16;

    /// <summary>Steps of the chain.</summary>
    public int Timesteps { get; init; } = 200;

    /// <summary>Noise schedule, <c>linear</c> or <c>cosine</c>.</summary>
    public string Noise { get; init; } = "cosine";

    /// <summary>Steps of the deterministic sampler that draws pictures while training.</summary>
    public int PreviewSteps { get; init; } = 25;

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
        ValidateLoop();
        Check.AtLeast(PreviewSteps, 1);
        return TrainingThread.Run(Threads, () =>
        {
            var train = new ImageSet(samples, low: -1);
            ImageSet? held = heldOut.Count == 0 ? null : new ImageSet(ChooseHeldOut(heldOut), low: -1);
            var config = new DiffusionConfig { ImageSize = train.Side, UNet = UNet, Width = Width, Timesteps = Timesteps, Schedule = Noise };
            config.EnsureValid();
            using FlatParameters parameters = SmallModelFolder.Parameters(config, trainable: true);
            StartingWeights.Fill(parameters, Seed, layer => layer == "output" || layer.EndsWith(".conv2", StringComparison.Ordinal));
            using var network = new DiffusionNetwork(config, name => parameters[name]);
            NoiseSchedule schedule = config.Noise();
            List<int[]> steps = train.Steps(this);
            var loop = new TrainingLoop(parameters, new LoopSettings(steps.Count, this, workFolder, RunKey.Of(this, "", train.ForKey())))
            {
                HeldOut = held is null ? null : () => HeldOut(network, schedule, held),
                Samples = () => TrainingPictures.Of(DiffusionPictures.Make(config, (x, t) => Predict(network, config, x, t), Math.Min(PreviewSteps, Timesteps), ct)),
            };
            TrainingReport report = loop.Run(step => Accumulate(network, schedule, train, steps[step], step, ct), progress, ct);
            return report with { WeightsSha256 = SmallModelFolder.Save(config, parameters, targetFolder) };
        });
    }

    /// <summary>Adds the gradients of the mean loss of the images; step and noise of an image are functions of seed, step and its index.</summary>
    internal Accumulated Accumulate(DiffusionNetwork network, NoiseSchedule schedule, ImageSet set, int[] indices, int step, CancellationToken ct)
    {
        double loss = 0;
        foreach (int[] part in indices.Chunk(MicroBatch > 0 ? MicroBatch : PartImages))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = torch.NewDisposeScope();
            torch.Tensor partLoss = SquaredError(network, NoisyBatch.Draw(set, part, schedule, Seed, step)).sum() / indices.Length;
            partLoss.backward();
            loss += partLoss.item<float>();
        }
        return new Accumulated(loss, indices.Length, new Dictionary<string, double>());
    }

    /// <summary>Mean squared error of the predicted noise per image, [n].</summary>
    internal static torch.Tensor SquaredError(DiffusionNetwork network, NoisyBatch batch) => (network.Predict(batch.Noisy, batch.Steps) - batch.Noise).square().mean([1]);

    private static float[] Predict(DiffusionNetwork network, DiffusionConfig config, float[] x, int t)
    {
        using var scope = torch.NewDisposeScope();
        long rows = x.Length / config.Pixels;
        return network.Predict(torch.tensor(x, [rows, config.Pixels]), torch.full([rows], t, torch.ScalarType.Int64)).data<float>().ToArray();
    }

    private Dictionary<string, double> HeldOut(DiffusionNetwork network, NoiseSchedule schedule, ImageSet held)
    {
        double loss = 0;
        foreach (int[] part in Enumerable.Range(0, held.Count).Chunk(PartImages))
        {
            using var scope = torch.NewDisposeScope();
            // Steps are spread evenly over the images, so that every evaluation has the same difficulty.
            loss += SquaredError(network, NoisyBatch.Draw(held, part, schedule, Seed, HeldOutStep, i => (int)((i + 0.5) * schedule.Steps / held.Count))).sum().item<float>() / held.Count;
        }
        return new Dictionary<string, double> { [TrainingLoop.HeldOutLoss] = loss };
    }
}
