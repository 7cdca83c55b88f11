using System.Globalization;
using System.Text.Json.Serialization;
using LlmOps.Engines;
using LlmOps.Engines.Text;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using LlmOps.Training.Schedules;

namespace LlmOps.Training;

/// <summary>
/// Training on pairs of completions of which one is preferred, by any <see cref="PreferenceObjective"/> (formulas: <see cref="PreferenceLoss"/>). The
/// reference is the starting model; its log-probabilities are computed once before the first step, and not at all for objectives without one. Metrics
/// carry TRL's names.
/// </summary>
public sealed record PreferenceAlignment : ContinuedTraining
{
    // Gradients of equal completions cancel up to rounding. A zero gradient where the model still is its own reference cannot recover: every further step would be the same.
    private const int StuckSteps = 3;
    private const double ZeroGradient = 1e-6;

    /// <summary>One pass at 3e-4, a tenth of it warm-up.</summary>
    public PreferenceAlignment() => (LearningRate, Schedule) = (3e-4, new ScheduleOptions { WarmupFraction = 0.1 });

    /// <summary>What is made of a pair's log-probabilities.</summary>
    public PreferenceObjective Objective { get; init; } = PreferenceObjective.Sigmoid;

    /// <summary>β: strength of the pull towards the reference, or of the margin for objectives without one; λ of the odds ratio.</summary>
    public double Beta { get; init; } = 0.1;

    /// <summary>ε: probability that a label is wrong, 0 to below ½; for the conservative and the robust objective.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>Weight of the chosen completions' mean loss per token, added to the objective; 0 for none. The odds ratio and the contrastive objective have this term already.</summary>
    public double SftWeight { get; init; }

    /// <summary>Weight of the likelihood term inside the contrastive objective (CPO's α).</summary>
    public double CpoAlpha { get; init; } = 1;

    /// <summary>γ: margin per token that the simple objective asks for, in units of the reward.</summary>
    public double SimpoGamma { get; init; } = 0.5;

    /// <summary>Folder in which the reference's log-probabilities are kept by the hash of weights and tokens; null computes them always. Results do not depend on it.</summary>
    [JsonIgnore]
    public string? ReferenceCacheFolder { get; init; }

    /// <summary>Aligns and writes a Hugging Face folder. Continues from the work folder when it holds a checkpoint of the same options, data and weights.</summary>
    /// <param name="hfFolder">Starting model and reference, with its tokenizer.</param>
    /// <param name="pairs">Preference pairs. Pairs whose prompt leaves no room for a completion, or whose completions are the same once cut, are dropped and counted.</param>
    /// <param name="heldOut">Pairs that are measured and never trained on; empty for none.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range or not defined for the objective, or no pair fits.</exception>
    /// <exception cref="InvalidDatasetException">A completion is empty, or chosen and rejected are the same.</exception>
    /// <exception cref="InvalidModelException">The model folder is incomplete or its tokenizer does not fit.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite, or stays where it started without a gradient, or pairs are among the held-out ones and that is to be refused.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        string hfFolder, IReadOnlyList<PreferenceExample> pairs, IReadOnlyList<PreferenceExample> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null,
        CancellationToken ct = default)
    {
        Validate();
        return TrainingThread.Run(Threads, () =>
        {
            using AdaptedModel adapted = AdaptedModel.Open(hfFolder, Adapter, this);
            int limit = LimitFor(adapted.Model.Config);
            var check = new DataCheck([.. pairs.Select(CheckedRow.Of)], [.. heldOut.Select(CheckedRow.Of)], limit, Leakage, ct);
            PromptFormat format = PromptFormat.Load(hfFolder, adapted.Tokenizer);
            List<PreferencePair> encoded = PreferencePair.Encode(pairs, format, check.Notes), held = heldOut.Count == 0 ? [] : PreferencePair.Encode(ChooseHeldOut(heldOut), format, HeldOut(limit));
            TrainingDataReport data = check.Report(progress);
            // Must come before the loop, which may restore trained weights over the reference's.
            int passes = !Objective.NeedsReference() ? 0
                : PreferencePair.ScoreReference(adapted.Model, encoded, adapted.SourceSha256, ReferenceCacheFolder, ct) + PreferencePair.ScoreReference(adapted.Model, held, adapted.SourceSha256, ReferenceCacheFolder, ct);
            List<int> lengths = [.. encoded.Select(p => p.Length)];
            List<int[]> steps = Batches(lengths);
            var step = new PreferenceStep(
                adapted.Model, Loss, LikelihoodWeight, MicroBatch > 0 ? MicroBatch : int.MaxValue,
                Batching.MicroBatch.Tokens(adapted.Model));
            var loop = new TrainingLoop(adapted.Trainable, new LoopSettings(
                steps.Count, this, workFolder, RunKey.Of(this, adapted.SourceSha256, encoded.SelectMany(p => new[] { p.Chosen.Tokens, p.Rejected.Tokens }))) { Scaler = adapted.Model.Scaler })
            {
                HeldOut = held.Count == 0 ? null : () => TrainingLoop.AsHeldOut(step.Accumulate(held, ct, train: false)),
                Inspect = Stuck(),
                Unlearnt = LikelihoodWeight > 0 ? double.NaN : Loss.AtReference,
            };
            TrainingReport report = loop.Run(number => step.Accumulate([.. steps[number].Select(i => encoded[i])], ct), progress, ct);
            var metrics = new Dictionary<string, double>(report.Metrics)
            {
                ["pairs"] = encoded.Count, ["dropped_pairs"] = pairs.Count - encoded.Count, ["reference_forward_passes"] = passes,
            };
            return report with { WeightsSha256 = adapted.MergeAndSave(targetFolder), Metrics = metrics, Data = data };
        });
    }

    private PreferenceLoss Loss => new(Objective, Beta, LabelSmoothing, SimpoGamma);

    private double LikelihoodWeight => Objective switch
    {
        PreferenceObjective.OddsRatio => 1,
        PreferenceObjective.Contrastive => CpoAlpha,
        _ => SftWeight,
    };

    private Action<int, double, double> Stuck()
    {
        double start = Loss.AtReference;
        int stuck = 0;
        return (step, loss, norm) =>
        {
            stuck = norm < ZeroGradient && Math.Abs(loss - start) < 1e-6 * Math.Max(1, start) ? stuck + 1 : 0;
            if (stuck < StuckSteps) return;
            string at = start == Math.Log(2) ? "ln 2" : string.Create(CultureInfo.InvariantCulture, $"{start:0.####}, where it started,");
            throw new TrainingFailedException($"Nothing is learned: for {StuckSteps} steps up to step {step} the loss is {at} and the gradient zero. The pairs do not differ for this model.",
                start == Math.Log(2) ? TrainingVerdict.StuckAtLn2 : TrainingVerdict.Plateau);
        };
    }

    private void Validate()
    {
        Check.Above(Beta, 0);
        Check.Within(LabelSmoothing, 0, 0.5);
        Check.Within(SftWeight, 0, 1000);
        Check.Within(CpoAlpha, 0, 1000);
        Check.Within(SimpoGamma, 0, 1000);
        if (LabelSmoothing > 0 && !Objective.AllowsLabelSmoothing())
            throw new ArgumentException($"LabelSmoothing is not defined for {Objective}; use it with {PreferenceObjective.ConservativeSigmoid} or {PreferenceObjective.Robust}, or set it to 0.");
        if (SftWeight > 0 && Objective.HasLikelihoodTerm())
            throw new ArgumentException($"SftWeight is not defined for {Objective}, which has a likelihood term of its own; set it to 0{(Objective == PreferenceObjective.Contrastive ? " and use CpoAlpha" : "")}.");
        ValidateContinued();
    }
}
