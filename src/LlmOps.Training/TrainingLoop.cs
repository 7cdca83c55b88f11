using System.Diagnostics;
using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;
using LlmOps.Training.Schedules;

namespace LlmOps.Training;

/// <summary>Options of the loop that all objectives share.</summary>
internal sealed record LoopSettings(
    int TotalSteps, double? MaxSeconds, WarmupCosine Schedule, double WeightDecay, double MaxGradientNorm, int CheckpointEverySteps, string WorkFolder, string Key);

/// <summary>What accumulating one step's gradients yields.</summary>
internal sealed record Accumulated(double Loss, int Tokens, IReadOnlyDictionary<string, double> Metrics);

/// <summary>
/// Optimizer steps with clipping, schedule, checkpoints and progress. Synchronous and to be run on one thread: libtorch's no_grad and the dispose
/// scopes belong to a thread. Examples are a function of the step's number, so a checkpoint holds weights, moments and counters and no random state.
/// </summary>
internal sealed class TrainingLoop(FlatParameters parameters, LoopSettings settings)
{
    /// <summary>Called after each step with its number, loss and gradient norm; may throw to stop the run.</summary>
    public Action<int, double, double>? Inspect { get; init; }

    /// <summary>
    /// Trains to the end, from a checkpoint when the work folder holds one of the same run. The function adds the gradients of one step, counted from 0,
    /// to the cleared buffer.
    /// </summary>
    public TrainingReport Run(Func<int, Accumulated> accumulate, IProgress<TrainingStep>? progress, CancellationToken ct)
    {
        var optimizer = new FusedAdamW(parameters, settings.WeightDecay);
        var checkpoint = new TrainingCheckpoint(Path.Combine(settings.WorkFolder, "training.safetensors"), settings.Key);
        TrainingCounters at = checkpoint.Restore(parameters, optimizer) ?? new TrainingCounters(0, 0, 0, 0);
        int resumedFrom = at.Step, saved = at.Step;
        IReadOnlyDictionary<string, double> metrics = new Dictionary<string, double>();
        var clock = new Stopwatch();
        try
        {
            while (at.Step < settings.TotalSteps && !(at.Seconds >= settings.MaxSeconds))
            {
                ct.ThrowIfCancellationRequested();
                clock.Restart();
                parameters.ClearGradients();
                Accumulated result = accumulate(at.Step);
                double norm = parameters.GradientNorm();
                if (!double.IsFinite(result.Loss) || !double.IsFinite(norm))
                    throw new TrainingFailedException($"Training diverged at step {at.Step + 1}: loss {result.Loss}, gradient norm {norm}. Lower the learning rate or lengthen the warm-up.");
                double rate = settings.Schedule.At(Progress(at));
                optimizer.Step(at.Step + 1, rate, norm > settings.MaxGradientNorm ? settings.MaxGradientNorm / (norm + 1e-6) : 1);
                double seconds = clock.Elapsed.TotalSeconds;
                at = new TrainingCounters(at.Step + 1, at.Tokens + result.Tokens, at.Seconds + seconds, result.Loss);
                metrics = result.Metrics;
                progress?.Report(new TrainingStep(at.Step, settings.TotalSteps, result.Loss, rate, norm, result.Tokens / seconds, metrics));
                Inspect?.Invoke(at.Step, result.Loss, norm);
                if (at.Step % settings.CheckpointEverySteps == 0)
                {
                    checkpoint.Save(parameters, optimizer, at);
                    saved = at.Step;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // A step that was cut short changed only gradients; weights and moments are those of the last finished step.
            if (at.Step > saved) checkpoint.Save(parameters, optimizer, at);
            throw;
        }
        // Kept after the end: a run repeated because its result got lost finishes at once.
        if (at.Step > saved) checkpoint.Save(parameters, optimizer, at);
        return new TrainingReport(at.Step, at.Tokens, at.Loss, at.Seconds, at.Seconds > 0 ? at.Tokens / at.Seconds : 0, "", metrics, resumedFrom);
    }

    // With a time limit the schedule follows whichever is further, steps or time, so that the learning rate always comes down before the end.
    private double Progress(TrainingCounters at)
        => Math.Max((at.Step + 1.0) / settings.TotalSteps, settings.MaxSeconds is double limit ? at.Seconds / limit : 0);
}
