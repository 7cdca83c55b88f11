using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using LlmOps.Training.Optimizers;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>
/// Trains a Llama-shaped causal language model from nothing: next-token cross-entropy over documents packed into rows, attention kept inside each
/// document, AdamW with warm-up and cosine decay.
/// </summary>
public sealed record Pretraining : LoopOptions
{
    /// <summary>Two passes at 3e-3, weight decay 0.1.</summary>
    public Pretraining() => (LearningRate, Epochs, Optimizer) = (3e-3, 2, new OptimizerOptions { WeightDecay = 0.1 });

    /// <summary>Width of the residual stream; a multiple of <see cref="Heads"/>.</summary>
    public int HiddenSize { get; init; } = 192;

    /// <summary>Number of decoder blocks.</summary>
    public int Layers { get; init; } = 6;

    /// <summary>Attention heads; HiddenSize / Heads is the head size and must be even.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>Key and value heads; divides <see cref="Heads"/>.</summary>
    public int KvHeads { get; init; } = 2;

    /// <summary>Width of the gated feed-forward layer.</summary>
    public int Intermediate { get; init; } = 512;

    /// <summary>Tokens per packed row; longer documents are cut.</summary>
    public int ContextLength { get; init; } = 128;

    /// <summary>Positions the model accepts at inference, at least <see cref="ContextLength"/>; 0 takes twice that.</summary>
    public int MaxPositions { get; init; }

    /// <summary>Share of the embeddings and of each block's output that is set to zero in training.</summary>
    public double Dropout { get; init; }

    /// <summary>Standard deviation of the starting weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Trains and writes a Hugging Face folder. Continues from the work folder when it holds a checkpoint of the same options and data.</summary>
    /// <param name="texts">Documents.</param>
    /// <param name="heldOut">Documents that are measured and never trained on; empty for none.</param>
    /// <param name="tokenizer">Gives the vocabulary and the special tokens; saved with the model.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or there is no text.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        IReadOnlyList<string> texts, IReadOnlyList<string> heldOut, Tokenizer tokenizer, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Validate();
        List<int[]> documents = Encode(texts, tokenizer), held = Encode(ChooseHeldOut(heldOut), tokenizer);
        if (documents.Count == 0) throw new ArgumentException("There is no text to train on.", nameof(texts));
        return TrainingThread.Run(Threads, () =>
        {
            List<List<int[]>[]> steps = [.. Steps(documents)];
            using var model = new CausalLanguageModel(Config(tokenizer), trainable: true) { Precision = Precision, RecomputeActivations = RecomputeActivations, Dropout = Dropout };
            model.Initialize(Seed, InitializerRange);
            model.MoveTo(TorchRuntime.DeviceOf(Device));
            if (Precision == Precision.Float16) model.Scaler = new LossScaler();
            var samples = TextSamples.OfTexts(tokenizer, heldOut.Count > 0 ? heldOut : texts);
            var loop = new TrainingLoop(model.Parameters, new LoopSettings(steps.Count, this, workFolder, RunKey.Of(this, "", documents)) { Scaler = model.Scaler })
            {
                HeldOut = held.Count == 0 ? null : () => TrainingLoop.AsHeldOut(Measure(model, [.. DocumentPacking.Pack(held, ContextLength)], train: false, ct)),
                Samples = () => samples.Of(model),
            };
            TrainingReport report = loop.Run(step =>
            {
                model.BeginStep(LengthBuckets.HashCodeOf(Seed, step));
                return Measure(model, steps[step], train: true, ct);
            }, progress, ct);
            model.MoveTo(torch.CPU);
            tokenizer.Save(targetFolder);
            return report with { WeightsSha256 = ModelFolder.Save(model, targetFolder) };
        });
    }

    /// <summary>Rows of packed documents of each step.</summary>
    internal IEnumerable<List<int[]>[]> Steps(List<int[]> documents) =>
        Enumerable.Range(0, Epochs).SelectMany(epoch => Epoch(documents, epoch)).Take(MaxSteps > 0 ? MaxSteps : int.MaxValue);

    private IEnumerable<List<int[]>[]> Epoch(List<int[]> documents, int epoch)
    {
        var random = new Random(LengthBuckets.HashCodeOf(Seed, epoch));
        int[][] shuffled = [.. documents];
        random.Shuffle(shuffled);
        List<int[]>[] rows = [.. DocumentPacking.Pack(shuffled, ContextLength)];
        // Best fit opens and closes rows in an order that follows the documents' lengths.
        random.Shuffle(rows);
        return rows.Chunk(BatchSize);
    }

    internal static List<int[]> Encode(IReadOnlyList<string> texts, Tokenizer tokenizer) => [.. texts.Select(t => PromptTemplate.Document(tokenizer, t)).Where(d => d.Length > 2)];

    /// <summary>Mean loss per token over the rows; training adds its gradients.</summary>
    private Accumulated Measure(CausalLanguageModel model, List<int[]>[] rows, bool train, CancellationToken ct)
    {
        double total = rows.Sum(row => row.Sum(d => d.Length - 1)), loss = 0;
        int tokens = 0;
        foreach (List<int[]>[] part in rows.Chunk(MicroBatch > 0 ? MicroBatch : Math.Max(1, Batching.MicroBatch.Tokens(model) / ContextLength)))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = torch.NewDisposeScope();
            TokenBatch batch = TokenBatch.OfPacked(part, ContextLength, model.Config.PadTokenId);
            // Divided by the tokens of the whole step, not of the part: parts of unequal size would otherwise weigh their tokens differently.
            torch.Tensor partLoss = -TokenLogProbabilities.Of(model, batch).sum() / total;
            if (train) model.Backward(partLoss);
            loss += partLoss.item<float>();
            tokens += batch.Tokens;
        }
        return new Accumulated(loss, tokens, new Dictionary<string, double> { ["perplexity"] = Math.Exp(loss) });
    }

    internal ModelConfig Config(Tokenizer tokenizer) => new()
    {
        VocabSize = tokenizer.VocabularySize, HiddenSize = HiddenSize, IntermediateSize = Intermediate, NumHiddenLayers = Layers, NumAttentionHeads = Heads,
        NumKeyValueHeads = KvHeads, HeadDim = HiddenSize / Heads, MaxPositionEmbeddings = MaxPositions == 0 ? 2 * ContextLength : MaxPositions, TieWordEmbeddings = true,
        BosTokenId = tokenizer.BosId ?? 1, EosTokenId = tokenizer.EosId ?? 2, PadTokenId = tokenizer.PadId ?? 0,
    };

    private void Validate()
    {
        Check.AtLeast(HiddenSize, 1);
        Check.AtLeast(Layers, 1);
        Check.AtLeast(Heads, 1);
        Check.AtLeast(KvHeads, 1);
        Check.AtLeast(Intermediate, 1);
        Check.AtLeast(ContextLength, 4);
        if (MaxPositions != 0) Check.AtLeast(MaxPositions, ContextLength);
        if (HiddenSize % Heads != 0 || HiddenSize / Heads % 2 != 0) throw new ArgumentException($"HiddenSize {HiddenSize} must be an even multiple of Heads {Heads}.");
        if (Heads % KvHeads != 0) throw new ArgumentException($"Heads {Heads} must be a multiple of KvHeads {KvHeads}.");
        Check.Above(InitializerRange, 0);
        Check.Within(Dropout, 0, 1);
        ValidateLoop();
    }
}
