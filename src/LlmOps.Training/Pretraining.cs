using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using LlmOps.Training.Schedules;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>
/// Trains a Llama-shaped causal language model from nothing: next-token cross-entropy over documents packed into rows, attention kept inside each
/// document, AdamW with warm-up and cosine decay.
/// </summary>
public sealed record Pretraining
{
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

    /// <summary>Rows per optimizer step.</summary>
    public int BatchSize { get; init; } = 16;

    /// <summary>Peak learning rate.</summary>
    public double LearningRate { get; init; } = 3e-3;

    /// <summary>Passes over the documents.</summary>
    public int Epochs { get; init; } = 2;

    /// <summary>Upper limit of steps; 0 for none.</summary>
    public int MaxSteps { get; init; }

    /// <summary>Upper limit of seconds spent in steps; the learning rate decays to its end within it. Null for none. Runs it cuts short are not reproducible.</summary>
    public double? MaxSeconds { get; init; }

    /// <summary>Share of the run with rising learning rate.</summary>
    public double WarmupFraction { get; init; } = 0.05;

    /// <summary>Decoupled weight decay of matrices.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Gradients are scaled down to this norm.</summary>
    public double MaxGradientNorm { get; init; } = 1;

    /// <summary>Standard deviation of the starting weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Seed of starting weights and order of documents.</summary>
    public int Seed { get; init; }

    /// <summary>Steps between checkpoints in the work folder.</summary>
    public int CheckpointEverySteps { get; init; } = 100;

    /// <summary>Threads; 0 takes the number of processors.</summary>
    public int Threads { get; init; }

    /// <summary>Trains and writes a Hugging Face folder. Continues from the work folder when it holds a checkpoint of the same options and data.</summary>
    /// <param name="texts">Documents.</param>
    /// <param name="tokenizer">Gives the vocabulary and the special tokens; saved with the model.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or there is no text.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        IReadOnlyList<string> texts, Tokenizer tokenizer, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Validate();
        List<int[]> documents = [.. texts.Select(t => PromptTemplate.Document(tokenizer, t)).Where(d => d.Length > 2)];
        if (documents.Count == 0) throw new ArgumentException("There is no text to train on.", nameof(texts));
        return TrainingThread.Run(Threads, () =>
        {
            List<List<int[]>[]> steps = [.. Enumerable.Range(0, Epochs).SelectMany(epoch => Epoch(documents, epoch)).Take(MaxSteps > 0 ? MaxSteps : int.MaxValue)];
            using var model = new LlamaForCausalLM(Config(tokenizer), trainable: true);
            model.Initialize(Seed, InitializerRange);
            var loop = new TrainingLoop(model.Parameters, new LoopSettings(
                steps.Count, MaxSeconds, new WarmupCosine(LearningRate, WarmupFraction), WeightDecay, MaxGradientNorm, CheckpointEverySteps, workFolder,
                RunKey.Of(this, "", documents)));
            TrainingReport report = loop.Run(step => Accumulate(model, steps[step], ct), progress, ct);
            tokenizer.Save(targetFolder);
            return report with { WeightsSha256 = ModelFolder.Save(model, targetFolder) };
        });
    }

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

    private Accumulated Accumulate(LlamaForCausalLM model, List<int[]>[] rows, CancellationToken ct)
    {
        double total = rows.Sum(row => row.Sum(d => d.Length - 1)), loss = 0;
        int tokens = 0;
        foreach (List<int[]>[] part in rows.Chunk(Math.Max(1, MicroBatch.Tokens(model.Config) / ContextLength)))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = torch.NewDisposeScope();
            TokenBatch batch = TokenBatch.OfPacked(part, ContextLength, model.Config.PadTokenId);
            // Divided by the tokens of the whole step, not of the part: parts of unequal size would otherwise weigh their tokens differently.
            torch.Tensor partLoss = -TokenLogProbabilities.Of(model, batch).sum() / total;
            partLoss.backward();
            loss += partLoss.item<float>();
            tokens += batch.Tokens;
        }
        return new Accumulated(loss, tokens, new Dictionary<string, double> { ["perplexity"] = Math.Exp(loss) });
    }

    private ModelConfig Config(Tokenizer tokenizer) => new()
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
        Check.Loop(BatchSize, LearningRate, Epochs, MaxSteps, WarmupFraction, WeightDecay, MaxGradientNorm, CheckpointEverySteps, Threads);
        if (MaxSeconds is double seconds) Check.Above(seconds, 0, nameof(MaxSeconds));
    }
}
