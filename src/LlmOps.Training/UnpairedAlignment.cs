using System.Globalization;
using System.Text.Json.Serialization;
using LlmOps.Engines;
using LlmOps.Engines.Text;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using LlmOps.Training.Schedules;

namespace LlmOps.Training;

/// <summary>
/// Kahneman-Tversky optimisation (<see cref="UnpairedLoss"/>): single answers marked desirable or not, no pairs. The reference is the starting model; its
/// log-probabilities are computed once. Metrics carry TRL's names; <c>kl</c> is the baseline z₀.
/// </summary>
public sealed record UnpairedAlignment : ContinuedTraining
{
    /// <summary>One pass at 3e-4, a tenth of it warm-up.</summary>
    public UnpairedAlignment() => (LearningRate, Schedule) = (3e-4, new ScheduleOptions { WarmupFraction = 0.1 });

    /// <summary>β: strength of the pull towards the reference.</summary>
    public double Beta { get; init; } = 0.1;

    /// <summary>λ_D: weight of desirable answers.</summary>
    public double LambdaDesirable { get; init; } = 1;

    /// <summary>λ_U: weight of undesirable answers.</summary>
    public double LambdaUndesirable { get; init; } = 1;

    /// <summary>Folder in which the reference's log-probabilities are kept by the hash of weights and tokens; null computes them always. Results do not depend on it.</summary>
    [JsonIgnore]
    public string? ReferenceCacheFolder { get; init; }

    /// <summary>A sentence when λ_D n_D / (λ_U n_U) is outside 1 to 4/3, which the paper asks for; null when it is inside.</summary>
    public string? BalanceWarning(IReadOnlyCollection<UnpairedExample> rows)
    {
        int desirable = rows.Count(r => r.Label), undesirable = rows.Count - desirable;
        double balance = new UnpairedLoss(Beta, LambdaDesirable, LambdaUndesirable).Balance(desirable, undesirable);
        // 4/3 itself must pass, whatever its last bit is.
        if (balance is >= 1 - 1e-9 and <= 4.0 / 3 + 1e-9) return null;
        string advice = desirable == 0 || undesirable == 0
            ? "answers of one kind only cannot teach the difference"
            : string.Create(CultureInfo.InvariantCulture, $"with these rows λ_U = 1 wants a λ_D of {(double)undesirable / desirable:0.###} to {4.0 / 3 * undesirable / desirable:0.###}");
        return string.Create(CultureInfo.InvariantCulture,
            $"Desirable and undesirable answers are out of balance: λ_D n_D / (λ_U n_U) is {balance:0.###} with {desirable} desirable and {undesirable} undesirable rows, and 1 to 1.333 is advised; {advice}.");
    }

    /// <summary>Aligns and writes a Hugging Face folder. Continues from the work folder when it holds a checkpoint of the same options, data and weights.</summary>
    /// <param name="hfFolder">Starting model and reference, with its tokenizer.</param>
    /// <param name="rows">Answers with their marks, of at least two prompts. Rows whose prompt leaves no room for a completion are dropped and counted.</param>
    /// <param name="heldOut">Rows that are measured and never trained on, of at least two prompts; empty for none.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, no row fits, or all rows have the same prompt.</exception>
    /// <exception cref="InvalidDatasetException">A completion is empty.</exception>
    /// <exception cref="InvalidModelException">The model folder is incomplete or its tokenizer does not fit.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite, or rows are among the held-out ones and that is to be refused.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        string hfFolder, IReadOnlyList<UnpairedExample> rows, IReadOnlyList<UnpairedExample> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null,
        CancellationToken ct = default)
    {
        Validate();
        return TrainingThread.Run(Threads, () =>
        {
            using AdaptedModel adapted = AdaptedModel.Open(hfFolder, Adapter, this);
            int limit = LimitFor(adapted.Model.Config);
            var check = new DataCheck([.. rows.Select(CheckedRow.Of)], [.. heldOut.Select(CheckedRow.Of)], limit, Leakage, ct);
            PromptFormat format = PromptFormat.Load(hfFolder, adapted.Tokenizer);
            List<MarkedCompletion> encoded = MarkedCompletion.Encode(rows, format, check.Notes), held = heldOut.Count == 0 ? [] : MarkedCompletion.Encode(ChooseHeldOut(heldOut), format, HeldOut(limit));
            TrainingDataReport data = check.Report(progress, BalanceWarning(rows) is { } warning ? [new DataFinding("label-imbalance", rows.Count, warning, [])] : []);
            // Must come before the loop, which may restore trained weights over the reference's.
            int passes = MarkedCompletion.ScoreReference(adapted.Model, encoded, adapted.SourceSha256, ReferenceCacheFolder, ct)
                + MarkedCompletion.ScoreReference(adapted.Model, held, adapted.SourceSha256, ReferenceCacheFolder, ct);
            List<int> lengths = [.. encoded.Select(r => r.Completion.Tokens.Length)];
            List<int[]> steps = Batches(lengths);
            var step = new UnpairedStep(
                adapted.Model, new UnpairedLoss(Beta, LambdaDesirable, LambdaUndesirable), MicroBatch > 0 ? MicroBatch : int.MaxValue, Batching.MicroBatch.Tokens(adapted.Model));
            var loop = new TrainingLoop(adapted.Trainable, new LoopSettings(
                steps.Count, this, workFolder, RunKey.Of(this, adapted.SourceSha256, encoded.Select(r => r.Completion.Tokens).Append([.. encoded.Select(r => r.Desirable ? 1 : 0)]))) { Scaler = adapted.Model.Scaler })
            {
                HeldOut = held.Count == 0 ? null : () => TrainingLoop.AsHeldOut(step.Accumulate(held, ct, train: false)),
            };
            TrainingReport report = loop.Run(number => step.Accumulate([.. steps[number].Select(i => encoded[i])], ct), progress, ct);
            var metrics = new Dictionary<string, double>(report.Metrics)
            {
                ["desirable"] = encoded.Count(r => r.Desirable), ["undesirable"] = encoded.Count(r => !r.Desirable), ["dropped_rows"] = rows.Count - encoded.Count,
                ["reference_forward_passes"] = passes,
            };
            return report with { WeightsSha256 = adapted.MergeAndSave(targetFolder), Metrics = metrics, Data = data };
        });
    }

    private void Validate()
    {
        Check.Above(Beta, 0);
        Check.Above(LambdaDesirable, 0);
        Check.Above(LambdaUndesirable, 0);
        // One row estimates the divergence from a single completion, which is noise.
        Check.AtLeast(BatchSize, 2);
        ValidateContinued();
    }
}
