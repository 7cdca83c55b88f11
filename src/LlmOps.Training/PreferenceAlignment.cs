using LlmOps.Engines;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using LlmOps.Training.Schedules;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmOps.Training;

/// <summary>
/// Direct preference optimisation on pairs of completions (<see cref="DirectPreferenceLoss"/>). The reference is the starting model; its
/// log-probabilities are computed once before the first step. Metrics carry TRL's names.
/// </summary>
public sealed record PreferenceAlignment : LoopOptions
{
    /// <summary>One pass at 3e-4, a tenth of it warm-up.</summary>
    public PreferenceAlignment() => (LearningRate, Schedule) = (3e-4, new ScheduleOptions { WarmupFraction = 0.1 });

    // A zero gradient at a loss of exactly ln 2 cannot recover: every further step would be the same. Gradients of equal completions cancel up to rounding.
    private const int StuckSteps = 3;
    private const double ZeroGradient = 1e-6;

    /// <summary>β: strength of the pull towards the reference.</summary>
    public double Beta { get; init; } = 0.1;

    /// <summary>Rank of a low-rank adapter; 0 trains all weights.</summary>
    public int LoraRank { get; init; }

    /// <summary>Numerator of the adapter's scale (alpha / rank).</summary>
    public double LoraAlpha { get; init; } = 32;

    /// <summary>Adapted modules such as <c>q_proj</c>; empty takes every linear layer except the output head.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [];

    /// <summary>Longest prompt plus completion in tokens; completions are cut there. 0 takes the model's limit.</summary>
    public int MaxLength { get; init; }

    /// <summary>Aligns and writes a Hugging Face folder. Continues from the work folder when it holds a checkpoint of the same options, data and weights.</summary>
    /// <param name="hfFolder">Starting model and reference, with its tokenizer.</param>
    /// <param name="pairs">Preference pairs. Pairs whose prompt leaves no room for a completion are dropped and counted.</param>
    /// <param name="heldOut">Pairs that are measured and never trained on; empty for none.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or no pair fits.</exception>
    /// <exception cref="InvalidDatasetException">A completion is empty, or chosen and rejected are the same.</exception>
    /// <exception cref="InvalidModelException">The model folder is incomplete or its tokenizer does not fit.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite, or stays at ln 2 without a gradient.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        string hfFolder, IReadOnlyList<PreferenceExample> pairs, IReadOnlyList<PreferenceExample> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Validate();
        return TrainingThread.Run(Threads, () =>
        {
            using AdaptedModel adapted = AdaptedModel.Open(hfFolder, LoraRank, LoraAlpha, TargetModules, Seed);
            int limit = MaxLength == 0 ? adapted.Model.Config.MaxPositionEmbeddings : Math.Min(MaxLength, adapted.Model.Config.MaxPositionEmbeddings);
            List<PreferencePair> encoded = Encode(pairs, adapted.Tokenizer, limit), held = heldOut.Count == 0 ? [] : Encode(ChooseHeldOut(heldOut), adapted.Tokenizer, limit);
            int partPairs = MicroBatch > 0 ? MicroBatch : int.MaxValue, partTokens = Batching.MicroBatch.Tokens(adapted.Model.Config);
            // Must come before the loop, which may restore trained weights over the reference's.
            ScoreReference(adapted.Model, [.. encoded, .. held], ct);
            List<int> lengths = [.. encoded.Select(p => p.Length)];
            List<int[]> steps =
                [.. Enumerable.Range(0, Epochs).SelectMany(epoch => LengthBuckets.Epoch(lengths, BatchSize, Seed, epoch)).Take(MaxSteps > 0 ? MaxSteps : int.MaxValue)];
            int stuck = 0;
            var loop = new TrainingLoop(adapted.Trainable, new LoopSettings(
                steps.Count, this, workFolder, RunKey.Of(this, adapted.SourceSha256, encoded.SelectMany(p => new[] { p.Chosen.Tokens, p.Rejected.Tokens }))))
            {
                HeldOut = held.Count == 0 ? null : () => TrainingLoop.AsHeldOut(Accumulate(adapted.Model, held, Beta, partPairs, partTokens, ct, train: false)),
                Inspect = (step, loss, norm) =>
                {
                    stuck = norm < ZeroGradient && Math.Abs(loss - Math.Log(2)) < 1e-6 ? stuck + 1 : 0;
                    if (stuck == StuckSteps)
                        throw new TrainingFailedException($"Nothing is learned: for {StuckSteps} steps up to step {step} the loss is ln 2 and the gradient zero. The pairs do not differ for this model.", TrainingVerdict.StuckAtLn2);
                },
            };
            TrainingReport report = loop.Run(step => Accumulate(adapted.Model, [.. steps[step].Select(i => encoded[i])], Beta, partPairs, partTokens, ct), progress, ct);
            var metrics = new Dictionary<string, double>(report.Metrics) { ["pairs"] = encoded.Count, ["dropped_pairs"] = pairs.Count - encoded.Count };
            return report with { WeightsSha256 = adapted.MergeAndSave(targetFolder), Metrics = metrics };
        });
    }

    /// <summary>Adds the gradients of the mean loss over all pairs; the metrics are means over pairs.</summary>
    internal static Accumulated Accumulate(LlamaForCausalLM model, IReadOnlyList<PreferencePair> pairs, double beta, int partPairs, int partTokens, CancellationToken ct, bool train = true)
    {
        double loss = 0, chosenReward = 0, rejectedReward = 0, accurate = 0, chosenLog = 0, rejectedLog = 0;
        // A part holds both completions of a pair, so it has twice the rows.
        foreach (List<PreferencePair> part in LengthBuckets.MicroBatches(pairs, p => p.Length, Math.Max(1, partTokens / 2), partPairs))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            Tensor log = TokenLogProbabilities.PerRow(model, BatchOf(part, model.Config.PadTokenId));
            Tensor chosen = log.narrow(0, 0, part.Count), rejected = log.narrow(0, part.Count, part.Count);
            var (each, chosenRewards, rejectedRewards) = DirectPreferenceLoss.Of(
                chosen, rejected, tensor(part.Select(p => p.ReferenceChosen).ToArray()), tensor(part.Select(p => p.ReferenceRejected).ToArray()), beta);
            Tensor partLoss = each.sum() / pairs.Count;
            if (train) partLoss.backward();
            loss += partLoss.item<float>();
            chosenReward += chosenRewards.sum().item<float>();
            rejectedReward += rejectedRewards.sum().item<float>();
            accurate += chosenRewards.gt(rejectedRewards).sum().item<long>();
            chosenLog += chosen.sum().item<float>();
            rejectedLog += rejected.sum().item<float>();
        }
        int n = pairs.Count;
        return new Accumulated(loss, pairs.Sum(p => p.Chosen.Tokens.Length + p.Rejected.Tokens.Length), new Dictionary<string, double>
        {
            ["rewards/chosen"] = chosenReward / n, ["rewards/rejected"] = rejectedReward / n, ["rewards/accuracies"] = accurate / n,
            ["rewards/margins"] = (chosenReward - rejectedReward) / n, ["logps/chosen"] = chosenLog / n, ["logps/rejected"] = rejectedLog / n,
        });
    }

    /// <summary>Fills in the log-probabilities of both completions under the model as it is now.</summary>
    internal static void ScoreReference(LlamaForCausalLM model, IReadOnlyList<PreferencePair> pairs, CancellationToken ct)
    {
        using var noGradient = no_grad();
        foreach (List<PreferencePair> part in LengthBuckets.MicroBatches(pairs.OrderBy(p => p.Length), p => p.Length, Batching.MicroBatch.Tokens(model.Config) / 2))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            float[] log = TokenLogProbabilities.PerRow(model, BatchOf(part, model.Config.PadTokenId)).data<float>().ToArray();
            for (int i = 0; i < part.Count; i++) (part[i].ReferenceChosen, part[i].ReferenceRejected) = (log[i], log[part.Count + i]);
        }
    }

    private static TokenBatch BatchOf(List<PreferencePair> part, int padId) => TokenBatch.OfSequences([.. part.Select(p => p.Chosen), .. part.Select(p => p.Rejected)], padId);

    private static List<PreferencePair> Encode(IReadOnlyList<PreferenceExample> pairs, Tokenizer tokenizer, int limit)
    {
        var encoded = new List<PreferencePair>(pairs.Count);
        for (int i = 0; i < pairs.Count; i++)
        {
            PreferenceExample pair = pairs[i];
            if (string.IsNullOrWhiteSpace(pair.Chosen) || string.IsNullOrWhiteSpace(pair.Rejected)) throw new InvalidDatasetException("a completion is empty", i + 1);
            if (pair.Chosen == pair.Rejected) throw new InvalidDatasetException("chosen and rejected are the same, so there is nothing to prefer", i + 1);
            int[] prompt = PromptTemplate.Prompt(tokenizer, pair.Prompt);
            if (prompt.Length >= limit) continue;
            encoded.Add(new PreferencePair(Cut(prompt, pair.Chosen), Cut(prompt, pair.Rejected)));
        }
        if (encoded.Count == 0) throw new ArgumentException($"No pair fits: there are {pairs.Count}, and prompts must be shorter than {limit} tokens.", nameof(pairs));
        return encoded;

        TokenSequence Cut(int[] prompt, string completion)
        {
            int[] tokens = [.. prompt, .. PromptTemplate.Completion(tokenizer, completion)];
            return new TokenSequence(tokens.Length > limit ? tokens[..limit] : tokens, prompt.Length);
        }
    }

    private void Validate()
    {
        Check.Above(Beta, 0);
        Check.AtLeast(LoraRank, 0);
        Check.Above(LoraAlpha, 0);
        Check.AtLeast(MaxLength, 0);
        ValidateLoop();
    }
}

/// <summary>One encoded pair with its reference log-probabilities (sums over completion tokens, natural logarithm).</summary>
internal sealed class PreferencePair(TokenSequence chosen, TokenSequence rejected)
{
    public TokenSequence Chosen { get; } = chosen;
    public TokenSequence Rejected { get; } = rejected;
    public int Length { get; } = Math.Max(chosen.Tokens.Length, rejected.Tokens.Length);
    public float ReferenceChosen { get; set; }
    public float ReferenceRejected { get; set; }
}
