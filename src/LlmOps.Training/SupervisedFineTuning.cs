using LlmOps.Engines;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>
/// Supervised fine-tuning on prompt and completion: cross-entropy of the completion's tokens only, divided by their number in the whole step. Trains a
/// low-rank adapter on every linear layer and merges it in float32 at the end, or all weights.
/// </summary>
public sealed record SupervisedFineTuning : LoopOptions
{
    /// <summary>Two passes at 4e-3 in batches of 32.</summary>
    public SupervisedFineTuning() => (LearningRate, Epochs, BatchSize) = (4e-3, 2, 32);

    /// <summary>Rank of the adapter; 0 trains all weights.</summary>
    public int LoraRank { get; init; } = 16;

    /// <summary>Numerator of the adapter's scale (alpha / rank).</summary>
    public double LoraAlpha { get; init; } = 32;

    /// <summary>Adapted modules such as <c>q_proj</c>; empty takes every linear layer except the output head.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [];

    /// <summary>Longest example in tokens; completions are cut there. 0 takes the model's limit.</summary>
    public int MaxLength { get; init; }

    /// <summary>Fine-tunes and writes a Hugging Face folder. Continues from the work folder when it holds a checkpoint of the same options, data and weights.</summary>
    /// <param name="hfFolder">Starting model, with its tokenizer.</param>
    /// <param name="examples">Prompts and completions. Examples whose prompt leaves no room for a completion are dropped and counted.</param>
    /// <param name="heldOut">Examples that are measured and never trained on; empty for none.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or no example fits.</exception>
    /// <exception cref="InvalidDatasetException">A completion is empty.</exception>
    /// <exception cref="InvalidModelException">The model folder is incomplete or its tokenizer does not fit.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        string hfFolder, IReadOnlyList<PromptCompletion> examples, IReadOnlyList<PromptCompletion> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Validate();
        return TrainingThread.Run(Threads, () =>
        {
            using AdaptedModel adapted = AdaptedModel.Open(hfFolder, LoraRank, LoraAlpha, TargetModules, Seed);
            int limit = MaxLength == 0 ? adapted.Model.Config.MaxPositionEmbeddings : Math.Min(MaxLength, adapted.Model.Config.MaxPositionEmbeddings);
            List<TokenSequence> sequences = Encode(examples, adapted.Tokenizer, limit), held = heldOut.Count == 0 ? [] : Encode(ChooseHeldOut(heldOut), adapted.Tokenizer, limit);
            int partExamples = MicroBatch > 0 ? MicroBatch : int.MaxValue, partTokens = Batching.MicroBatch.Tokens(adapted.Model.Config);
            List<int> lengths = [.. sequences.Select(s => s.Tokens.Length)];
            List<int[]> steps =
                [.. Enumerable.Range(0, Epochs).SelectMany(epoch => LengthBuckets.Epoch(lengths, BatchSize, Seed, epoch)).Take(MaxSteps > 0 ? MaxSteps : int.MaxValue)];
            var loop = new TrainingLoop(adapted.Trainable, new LoopSettings(
                steps.Count, this, workFolder, RunKey.Of(this, adapted.SourceSha256, sequences.Select(s => s.Tokens))))
            {
                HeldOut = held.Count == 0 ? null : () => TrainingLoop.AsHeldOut(Accumulate(adapted.Model, held, partExamples, partTokens, ct, train: false)),
            };
            TrainingReport report = loop.Run(step => Accumulate(adapted.Model, [.. steps[step].Select(i => sequences[i])], partExamples, partTokens, ct), progress, ct);
            var metrics = new Dictionary<string, double>(report.Metrics)
            {
                ["examples"] = sequences.Count, ["dropped_examples"] = examples.Count - sequences.Count, ["trained_parameters"] = adapted.Trainable.Shapes.Sum(s => (long)s.Count),
            };
            return report with { WeightsSha256 = adapted.MergeAndSave(targetFolder), Metrics = metrics };
        });
    }

    /// <summary>
    /// Adds the gradients of the mean loss per completion token over all examples, in parts of at most <paramref name="partExamples"/> examples and <paramref name="partTokens"/> tokens; the parts' sizes
    /// change the result by rounding only.
    /// </summary>
    internal static Accumulated Accumulate(LlamaForCausalLM model, IReadOnlyList<TokenSequence> examples, int partExamples, int partTokens, CancellationToken ct, bool train = true)
    {
        double total = examples.Sum(s => s.Scored), loss = 0;
        foreach (List<TokenSequence> part in LengthBuckets.MicroBatches(examples, s => s.Tokens.Length, partTokens, partExamples))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = torch.NewDisposeScope();
            TokenBatch batch = TokenBatch.OfSequences(part, model.Config.PadTokenId);
            torch.Tensor partLoss = -TokenLogProbabilities.Of(model, batch).sum() / total;
            if (train) partLoss.backward();
            loss += partLoss.item<float>();
        }
        return new Accumulated(loss, examples.Sum(s => s.Tokens.Length), new Dictionary<string, double> { ["perplexity"] = Math.Exp(loss), ["completion_tokens"] = total });
    }

    private static List<TokenSequence> Encode(IReadOnlyList<PromptCompletion> examples, Tokenizer tokenizer, int limit)
    {
        var sequences = new List<TokenSequence>(examples.Count);
        for (int i = 0; i < examples.Count; i++)
        {
            if (string.IsNullOrWhiteSpace(examples[i].Completion)) throw new InvalidDatasetException("the completion is empty", i + 1);
            int[] prompt = PromptTemplate.Prompt(tokenizer, examples[i].Prompt);
            if (prompt.Length >= limit) continue;
            int[] tokens = [.. prompt, .. PromptTemplate.Completion(tokenizer, examples[i].Completion)];
            sequences.Add(new TokenSequence(tokens.Length > limit ? tokens[..limit] : tokens, prompt.Length));
        }
        if (sequences.Count == 0) throw new ArgumentException($"No example fits: there are {examples.Count}, and prompts must be shorter than {limit} tokens.", nameof(examples));
        return sequences;
    }

    private void Validate()
    {
        Check.AtLeast(LoraRank, 0);
        Check.Above(LoraAlpha, 0);
        Check.AtLeast(MaxLength, 0);
        ValidateLoop();
    }
}
