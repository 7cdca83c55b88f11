using LlmOps.Engines.SmallModels;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Optimizers;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.SmallModels;

/// <summary>Trains a <see cref="CnnClassifierConfig"/> on labelled grey pictures: cross-entropy of the softmax over the labels, optionally with each picture moved at random.</summary>
public sealed record CnnClassifier : LoopOptions
{
    private const int Pass = 256;

    /// <summary>Options that suit a few thousand small pictures.</summary>
    public CnnClassifier() => (LearningRate, Epochs, BatchSize, Optimizer) = (2e-3, 5, 64, new OptimizerOptions { WeightDecay = 0.01 });

    /// <summary>Output channels of the first convolution.</summary>
    public int FirstFilters { get; init; } = 16;

    /// <summary>Output channels of the second convolution.</summary>
    public int SecondFilters { get; init; } = 32;

    /// <summary>Width of the dense layer.</summary>
    public int HiddenSize { get; init; } = 64;

    /// <summary>Share of the target that is spread over all labels alike (label smoothing, Szegedy et al. 2016), 0 to below 1.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>Pixels by which each training picture is moved at random, up and down, left and right; 0 leaves them where they are.</summary>
    public int Shift { get; init; }

    /// <summary>Degrees by which each training picture is turned at random, to either side; 0 leaves them as they are.</summary>
    public double Rotation { get; init; }

    /// <summary>Whether left and right are exchanged in half of the training pictures.</summary>
    public bool FlipSideways { get; init; }

    /// <summary>Whether top and bottom are exchanged in half of the training pictures.</summary>
    public bool FlipUpsideDown { get; init; }

    /// <summary>Trains and writes a checkpoint folder. Continues from the work folder when it holds a checkpoint of the same options and data.</summary>
    /// <param name="samples">Pictures of one size, each with a label.</param>
    /// <param name="heldOut">Pictures that are measured and never trained on; empty for none. Those with a label that the others lack are left out.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the pictures differ in size, lack labels or have one label only.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite.</exception>
    public TrainingReport Run(
        IReadOnlyList<Sample> samples, IReadOnlyList<Sample> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Validate();
        CnnClassifierConfig config = Config(samples);
        Dictionary<string, long> labels = config.Labels.Index().ToDictionary(l => l.Item, l => (long)l.Index, StringComparer.Ordinal);
        Sample[] held = [.. ChooseHeldOut(heldOut).Where(s => s.Width == config.Width && s.Height == config.Height && labels.ContainsKey(s.Target))];
        return TrainingThread.Run(Threads, () =>
        {
            List<int[]> steps = [.. Enumerable.Range(0, Epochs).SelectMany(epoch => Shuffled(samples.Count, epoch).Chunk(BatchSize)).Take(MaxSteps > 0 ? MaxSteps : int.MaxValue)];
            using FlatParameters parameters = SmallModelFolder.Parameters(config, trainable: true);
            StartingWeights.Fill(parameters, Seed);
            var network = new CnnNetwork(name => parameters[name]);
            var loop = new TrainingLoop(parameters, new LoopSettings(steps.Count, this, workFolder, RunKey.Of(this, "", samples.Select(SampleDigest.Of))))
            {
                HeldOut = held.Length == 0 ? null : () => TrainingLoop.AsHeldOut(Measure(network, held, labels, null, ct)),
                Samples = held.Length == 0 ? null : () => Pictures(config, network, held, ct),
            };
            TrainingReport report = loop.Run(step => Measure(network, [.. steps[step].Select(i => samples[i])], labels, step, ct), progress, ct);
            return report with { WeightsSha256 = SmallModelFolder.Save(config, parameters, targetFolder) };
        });
    }

    /// <summary>Mean loss and share of right labels; with a step's number the pictures are moved and gradients added.</summary>
    private Accumulated Measure(CnnNetwork network, Sample[] batch, Dictionary<string, long> labels, int? step, CancellationToken ct)
    {
        double loss = 0, right = 0;
        var augmentation = new ImageAugmentation { Shift = Shift, Rotation = Rotation, FlipSideways = FlipSideways, FlipUpsideDown = FlipUpsideDown };
        (float[] Pixels, ImageChange Change)[] seen = [.. batch.Select((sample, i) => step is int at ? augmentation.Apply(sample.Values, sample.Width, Seed, at, i) : (sample.Values, default))];
        foreach (int[] part in Enumerable.Range(0, batch.Length).Chunk(MicroBatch > 0 ? MicroBatch : Pass))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            Tensor targets = tensor(Array.ConvertAll(part, i => labels[batch[i].Target]));
            Tensor logits = network.Logits(tensor(part.SelectMany(i => seen[i].Pixels).ToArray(), [part.Length, 1, batch[0].Height, batch[0].Width]));
            Tensor partLoss = F.cross_entropy(logits, targets, reduction: nn.Reduction.Sum, label_smoothing: step is null ? 0 : LabelSmoothing) / batch.Length;
            if (step is not null) partLoss.backward();
            loss += partLoss.item<float>();
            right += logits.argmax(1).eq(targets).sum().item<long>();
        }
        var metrics = new Dictionary<string, double> { ["accuracy"] = right / batch.Length };
        if (step is not null && augmentation != new ImageAugmentation()) metrics["augmented_share"] = seen.Count(s => !s.Change.IsNone) / (double)batch.Length;
        return new Accumulated(loss, batch.Length, metrics);
    }

    private static IReadOnlyList<TrainingSample> Pictures(CnnClassifierConfig config, CnnNetwork network, Sample[] held, CancellationToken ct)
    {
        SmallModelScores scores = SmallModelEvaluation.Run(config, inputs => [TorchSmallModel.Named("logits", network.Logits(TorchSmallModel.Floats(inputs, "image")))], held, ct);
        double accuracy = scores.Rows.Where(r => r.Metric == SmallModelMetrics.Accuracy).Average(r => r.Value);
        return [.. scores.Pictures.Select(p => new TrainingSample(p.Title, FormattableString.Invariant($"{accuracy:0.0%} of {held.Length} held-out pictures are read right."), p.Png))];
    }

    private int[] Shuffled(int count, int epoch)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        new Random(LengthBuckets.HashCodeOf(Seed, epoch)).Shuffle(order);
        return order;
    }

    private CnnClassifierConfig Config(IReadOnlyList<Sample> samples)
    {
        if (samples.Count == 0) throw new ArgumentException("There is no picture to train on.");
        Sample first = samples[0];
        if (samples.Any(s => !s.IsImage)) throw new ArgumentException("A classifier of pictures cannot learn from rows of a table.");
        if (samples.FirstOrDefault(s => s.Width != first.Width || s.Height != first.Height) is { } other)
            throw new ArgumentException($"The pictures differ in size: {first.Width} × {first.Height} and {other.Width} × {other.Height} pixels. Bring them to one size.");
        if (samples.Any(s => s.Target.Length == 0)) throw new ArgumentException("A picture has no label: a classifier learns from labels.");
        var config = new CnnClassifierConfig(first.Height, first.Width, FirstFilters, SecondFilters, HiddenSize, [.. samples.Select(s => s.Target).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)]);
        config.EnsureValid();
        return config;
    }

    private void Validate()
    {
        Check.Within(LabelSmoothing, 0, 1);
        Check.AtLeast(Shift, 0);
        Check.Within(Rotation, 0, 181);
        ValidateLoop();
    }
}
