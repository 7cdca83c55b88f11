using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using LlmOps.Training.Schedules;
using static TorchSharp.torch;

namespace LlmOps.Training;

/// <summary>
/// Trains a reward model on preference pairs (<see cref="RewardLoss"/>): the weights of a language model, or an adapter to them, and a head of one number that starts at zero, so that the
/// first loss is ln 2. Metrics carry TRL's names.
/// </summary>
public sealed record RewardModelling : ContinuedTraining
{
    /// <summary>One pass at 3e-4, a tenth of it warm-up.</summary>
    public RewardModelling() => (LearningRate, Schedule) = (3e-4, new ScheduleOptions { WarmupFraction = 0.1 });

    /// <summary>By how much the chosen reward should be greater; 0 asks for any difference.</summary>
    public double Margin { get; init; }

    /// <summary>Pull of the mean reward towards zero; 0 for none.</summary>
    public double CentreCoefficient { get; init; }

    /// <summary>
    /// Trains and writes a Hugging Face folder with <c>score.weight</c>. The report holds the accuracy on all held-out pairs with its Wilson interval
    /// (<c>held_out_accuracy</c>, <c>…_low</c>, <c>…_high</c>).
    /// </summary>
    /// <param name="hfFolder">Starting model, with its tokenizer.</param>
    /// <param name="pairs">Preference pairs. Pairs whose prompt leaves no room for a completion, or whose completions are the same once cut, are dropped and counted.</param>
    /// <param name="heldOut">Pairs that are measured and never trained on; empty for none.</param>
    /// <param name="targetFolder">Receives the reward model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or no pair fits.</exception>
    /// <exception cref="InvalidDatasetException">A completion is empty, or chosen and rejected are the same.</exception>
    /// <exception cref="InvalidModelException">The model folder is incomplete or its tokenizer does not fit.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite, or pairs are among the held-out ones and that is to be refused.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        string hfFolder, IReadOnlyList<PreferenceExample> pairs, IReadOnlyList<PreferenceExample> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null,
        CancellationToken ct = default)
    {
        Check.Within(Margin, 0, 1000);
        Check.Within(CentreCoefficient, 0, 1000);
        ValidateContinued();
        return TrainingThread.Run(Threads, () =>
        {
            using AdaptedModel adapted = AdaptedModel.Open(hfFolder, Adapter, this, scores: true);
            CausalLanguageModel model = adapted.Model;
            int limit = LimitFor(model.Config);
            var check = new DataCheck([.. pairs.Select(CheckedRow.Of)], [.. heldOut.Select(CheckedRow.Of)], limit, Leakage, ct);
            PromptFormat format = PromptFormat.Load(hfFolder, adapted.Tokenizer);
            List<PreferencePair> encoded = PreferencePair.Encode(pairs, format, check.Notes), all = heldOut.Count == 0 ? [] : PreferencePair.Encode(heldOut, format, HeldOut(limit));
            TrainingDataReport data = check.Report(progress);
            IReadOnlyList<PreferencePair> held = ChooseHeldOut(all);
            List<int> lengths = [.. encoded.Select(p => p.Length)];
            List<int[]> steps = Batches(lengths);
            int partTokens = Batching.MicroBatch.Tokens(model);
            var loop = new TrainingLoop(adapted.Trainable, new LoopSettings(
                steps.Count, this, workFolder, RunKey.Of(this, adapted.SourceSha256, encoded.SelectMany(p => new[] { p.Chosen.Tokens, p.Rejected.Tokens }))) { Scaler = model.Scaler })
            {
                Unlearnt = Margin == 0 && CentreCoefficient == 0 ? Math.Log(2) : double.NaN,
                HeldOut = held.Count == 0 ? null : () => TrainingLoop.AsHeldOut(Accumulate(model, held, partTokens, ct, train: false)),
            };
            TrainingReport report = loop.Run(number => Accumulate(model, [.. steps[number].Select(i => encoded[i])], partTokens, ct), progress, ct);
            var metrics = new Dictionary<string, double>(report.Metrics) { ["pairs"] = encoded.Count, ["dropped_pairs"] = pairs.Count - encoded.Count };
            if (all.Count > 0) AddAccuracy(metrics, model, all, partTokens, ct);
            return report with { WeightsSha256 = adapted.MergeAndSave(targetFolder), Metrics = metrics, Data = data };
        });
    }

    /// <summary>Adds the gradients of the mean loss over all pairs, or only measures them.</summary>
    internal Accumulated Accumulate(CausalLanguageModel model, IReadOnlyList<PreferencePair> pairs, int partTokens, CancellationToken ct, bool train = true)
    {
        double loss = 0, margin = 0, sum = 0, smallest = double.PositiveInfinity, greatest = double.NegativeInfinity;
        int accurate = 0;
        foreach (List<PreferencePair> part in LengthBuckets.MicroBatches(pairs, p => p.Length, Math.Max(1, partTokens / 2), MicroBatch > 0 ? MicroBatch : int.MaxValue))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var rewards = RewardModel.Rewards(model, [.. part.Select(p => p.Chosen), .. part.Select(p => p.Rejected)]);
            var partLoss = RewardLoss.Of(rewards.narrow(0, 0, part.Count), rewards.narrow(0, part.Count, part.Count), Margin, CentreCoefficient).sum() / pairs.Count;
            if (train) model.Backward(partLoss);
            loss += partLoss.item<float>();
            float[] each = rewards.detach().cpu().data<float>().ToArray();
            for (int i = 0; i < part.Count; i++)
            {
                margin += each[i] - each[part.Count + i];
                if (each[i] > each[part.Count + i]) accurate++;
            }
            sum += each.Sum(v => (double)v);
            (smallest, greatest) = (Math.Min(smallest, each.Min()), Math.Max(greatest, each.Max()));
        }
        return new Accumulated(loss, pairs.Sum(p => p.Chosen.Tokens.Length + p.Rejected.Tokens.Length), new Dictionary<string, double>
        {
            ["accuracy"] = (double)accurate / pairs.Count, ["margin"] = margin / pairs.Count, ["min_reward"] = smallest, ["mean_reward"] = sum / (2 * pairs.Count), ["max_reward"] = greatest,
        });
    }

    private void AddAccuracy(Dictionary<string, double> metrics, CausalLanguageModel model, List<PreferencePair> all, int partTokens, CancellationToken ct)
    {
        using var noGradient = no_grad();
        double share = Accumulate(model, all, partTokens, ct, train: false).Metrics["accuracy"];
        Estimate estimate = Wilson.Interval((int)Math.Round(share * all.Count), all.Count);
        (metrics["held_out_accuracy"], metrics["held_out_accuracy_low"], metrics["held_out_accuracy_high"], metrics["held_out_pairs"]) = (estimate.Value, estimate.Low, estimate.High, estimate.N);
    }
}
