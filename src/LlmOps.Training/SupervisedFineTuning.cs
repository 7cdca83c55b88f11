using LlmOps.Engines;
using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Augmentation;
using LlmOps.Training.Adapters;
using LlmOps.Training.Batching;

namespace LlmOps.Training;

/// <summary>How examples are put into rows.</summary>
public enum Packing
{
    /// <summary>One example per row, with others of similar length.</summary>
    None,
    /// <summary>Several examples per row by best fit, longest first; none sees another.</summary>
    Bfd,
}

/// <summary>
/// Supervised fine-tuning: cross-entropy of what is to be learnt (a completion, the assistant's turns of a conversation, all of a text), divided by the number of such
/// tokens in the whole step. Trains a low-rank adapter on every linear layer and merges it in float32 at the end, or all weights.
/// </summary>
public sealed record SupervisedFineTuning : LoopOptions
{
    private const int SampledPrompts = 3;

    /// <summary>Two passes at 4e-3 in batches of 32.</summary>
    public SupervisedFineTuning() => (LearningRate, Epochs, BatchSize) = (4e-3, 2, 32);

    /// <summary>Rank of the adapter; 0 trains all weights.</summary>
    public int LoraRank { get; init; } = 16;

    /// <summary>Numerator of the adapter's scale (alpha / rank).</summary>
    public double LoraAlpha { get; init; } = 32;

    /// <summary>Adapted modules such as <c>q_proj</c>; empty takes every linear layer except the output head.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [];

    /// <summary>Scale alpha / √rank instead of alpha / rank (rsLoRA).</summary>
    public bool RankStabilised { get; init; }

    /// <summary>Trains a length per output beside the adapter's direction (DoRA).</summary>
    public bool Dora { get; init; }

    /// <summary>Share of the adapter's input that is set to zero in training.</summary>
    public double LoraDropout { get; init; }

    /// <summary>PEFT folder of an adapter of the same shape to go on with; empty for a fresh one.</summary>
    public string ContinueAdapter { get; init; } = "";

    /// <summary>Share of the embeddings and of each block's output that is set to zero in training.</summary>
    public double Dropout { get; init; }

    /// <summary>Longest example in tokens; completions are cut there. 0 takes the model's limit.</summary>
    public int MaxLength { get; init; }

    /// <summary>How examples are put into rows. A step has as many examples either way; packing only saves the time that padding costs.</summary>
    public Packing Packing { get; init; }

    /// <summary>Whether only the assistant's turns of a conversation are learnt, with the token that ends each; else all of it is.</summary>
    public bool AssistantOnly { get; init; } = true;

    /// <summary>Noise on the embeddings while training (NEFTune, alpha); the paper uses 5 to 15. 0 for none.</summary>
    public double NeftuneAlpha { get; init; }

    /// <summary>Share of the probability that is spread over the whole vocabulary in the target; 0 for none.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>Changes what examples are asked with, differently in each epoch; null leaves them as they are. Its seed is <see cref="LoopOptions.Seed"/>.</summary>
    public TextAugmentation? Augmentation { get; init; }

    /// <summary>What to do with examples that are among the held-out ones.</summary>
    public LeakagePolicy Leakage { get; init; }

    /// <summary>Fine-tunes and writes a Hugging Face folder. Continues from the work folder when it holds a checkpoint of the same options, data and weights.</summary>
    /// <param name="hfFolder">Starting model, with its tokenizer.</param>
    /// <param name="examples">Texts, prompts with completions, conversations; read several times. Those whose prompt leaves no room for anything to learn are dropped and counted.</param>
    /// <param name="heldOut">Examples that are measured and never trained on; empty for none.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or no example fits.</exception>
    /// <exception cref="InvalidDatasetException">A completion is empty, or the model's template refuses a conversation.</exception>
    /// <exception cref="InvalidModelException">The model folder is incomplete or its tokenizer does not fit.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite, or examples are among the held-out ones and that is to be refused.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        string hfFolder, IReadOnlyList<FineTuningExample> examples, IReadOnlyList<FineTuningExample> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Validate();
        return TrainingThread.Run(Threads, () =>
        {
            using AdaptedModel adapted = AdaptedModel.Open(hfFolder, Adapter, this);
            adapted.Model.Dropout = Dropout;
            if (ContinueAdapter.Length > 0) (adapted.Adapter ?? throw new ArgumentException("An adapter to continue needs a rank.")).Load(ContinueAdapter);
            int limit = MaxLength == 0 ? adapted.Model.Config.MaxPositionEmbeddings : Math.Min(MaxLength, adapted.Model.Config.MaxPositionEmbeddings);
            var encoder = new FineTuningEncoder(PromptFormat.Load(hfFolder, adapted.Tokenizer), limit, AssistantOnly);
            var (leaks, without) = heldOut.Count == 0 ? ([], new HashSet<int>()) : LeakageCheck.Run(() => examples.Select(e => e.AllText), () => heldOut.Select(e => e.AllText), Leakage, ct);
            var set = new FineTuningSet(examples, encoder, without) { Augmentation = Augmentation is null ? null : Augmentation with { Seed = Seed } };
            var data = new TrainingDataReport(examples.Count, heldOut.Count, without.Count, [.. FineTuningCheck.Run(examples, set.Notes, heldOut), .. leaks]);
            (progress as ITrainingWatch)?.Checked(data);
            if (set.Lengths.Count == 0) throw new ArgumentException($"No example fits: there are {examples.Count}, and prompts must be shorter than {limit} tokens.", nameof(examples));
            var held = new FineTuningSet(ChooseHeldOut(heldOut), encoder);
            List<(int Epoch, int[] Indices)> steps =
                [.. Enumerable.Range(0, Epochs).SelectMany(epoch => Batches(set, epoch).Select(indices => (epoch, indices))).Take(MaxSteps > 0 ? MaxSteps : int.MaxValue)];
            var asked = new TextSamples(adapted.Tokenizer, [.. (heldOut.Count > 0 ? heldOut : examples).Take(SampledPrompts).Select(encoder.Prompt).Where(p => p.Tokens.Length > 0)]);
            var step = new FineTuningStep(adapted.Model, Batching.MicroBatch.Tokens(adapted.Model))
            {
                PartExamples = MicroBatch > 0 ? MicroBatch : int.MaxValue, Packs = Packing == Packing.Bfd, MaxLength = limit, LabelSmoothing = LabelSmoothing, NeftuneAlpha = NeftuneAlpha, Seed = Seed,
            };
            var loop = new TrainingLoop(adapted.Trainable, new LoopSettings(steps.Count, this, workFolder, RunKey.Of(this, adapted.SourceSha256, [set.Digest])) { Scaler = adapted.Model.Scaler })
            {
                Samples = () => [.. asked.Of(adapted.Model), .. set.Augmented.Samples],
                HeldOut = held.Lengths.Count == 0 ? null : () => TrainingLoop.AsHeldOut(step.Measure(held.At(Enumerable.Range(0, held.Lengths.Count)), ct)),
            };
            TrainingReport report = loop.Run(n =>
            {
                adapted.Model.BeginStep(LengthBuckets.HashCodeOf(Seed, n));
                return step.Accumulate(n, set.At(steps[n].Indices, steps[n].Epoch), ct);
            }, progress, ct);
            var metrics = new Dictionary<string, double>(report.Metrics)
            {
                ["examples"] = set.Lengths.Count, ["dropped_examples"] = set.Notes.WithoutRoom.Count + without.Count, ["trained_parameters"] = adapted.Trainable.Shapes.Sum(s => (long)s.Count),
            };
            foreach (var (name, value) in PaddingOf(steps.Select(s => s.Indices), set.Lengths, step)) metrics[name] = value;
            if (Augmentation is not null)
            {
                // What was augmented before a resumed run began is made again to be counted.
                foreach (var (epoch, indices) in steps.Take(report.ResumedFromStep)) set.At(indices, epoch);
                foreach (var (name, value) in set.Augmented.Metrics()) metrics[name] = value;
            }
            return report with { WeightsSha256 = adapted.MergeAndSave(targetFolder), Metrics = metrics, Data = data };
        });
    }

    /// <summary>Fine-tunes on prompts and completions.</summary>
    public TrainingReport Run(
        string hfFolder, IReadOnlyList<PromptCompletion> examples, IReadOnlyList<PromptCompletion> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
        => Run(hfFolder, [.. examples.Select(e => (FineTuningExample)e)], (FineTuningExample[])[.. heldOut.Select(e => (FineTuningExample)e)], targetFolder, workFolder, progress, ct);

    private List<int[]> Batches(FineTuningSet set, int epoch)
        => Packing == Packing.Bfd ? LengthBuckets.Shuffled(set.Lengths.Count, BatchSize, Seed, epoch) : LengthBuckets.Epoch(set.Lengths, BatchSize, Seed, epoch);

    /// <summary>Share of places that are padding, over the whole run: as trained, and when each step were one batch padded to its longest example.</summary>
    private static Dictionary<string, double> PaddingOf(IEnumerable<int[]> steps, IReadOnlyList<int> lengths, FineTuningStep step)
    {
        long tokens = 0, places = 0, padded = 0;
        foreach (int[] indices in steps)
        {
            List<int> of = [.. indices.Select(i => lengths[i])];
            tokens += of.Sum();
            places += step.Places(of);
            padded += (long)of.Count * of.Max();
        }
        return new() { ["padding_share"] = 1 - tokens / (double)places, ["padding_share_unpacked"] = 1 - tokens / (double)padded };
    }

    private AdapterOptions? Adapter => LoraRank == 0 ? null : new AdapterOptions(LoraRank, LoraAlpha)
    {
        TargetModules = TargetModules, RankStabilised = RankStabilised, Dora = Dora, Dropout = LoraDropout,
    };

    private void Validate()
    {
        Check.AtLeast(LoraRank, 0);
        Check.Within(LoraDropout, 0, 1);
        Check.Within(Dropout, 0, 1);
        Check.Above(LoraAlpha, 0);
        Check.AtLeast(MaxLength, 0);
        Check.Within(NeftuneAlpha, 0, 1000);
        Check.Within(LabelSmoothing, 0, 1);
        Augmentation?.Validate();
        ValidateLoop();
    }
}
