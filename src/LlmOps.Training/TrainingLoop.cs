using System.Diagnostics;
using System.Runtime.InteropServices;
using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>What the loop needs beside the parameters.</summary>
/// <param name="TotalSteps">Steps planned.</param>
/// <param name="Options">Options that all objectives share.</param>
/// <param name="WorkFolder">Receives checkpoints.</param>
/// <param name="Key">Digest of everything the outcome depends on (<see cref="RunKey"/>).</param>
internal sealed record LoopSettings(int TotalSteps, LoopOptions Options, string WorkFolder, string Key)
{
    /// <summary>Scales float16's losses; null without it.</summary>
    public LossScaler? Scaler { get; init; }
}

/// <summary>What accumulating one step's gradients yields.</summary>
internal sealed record Accumulated(double Loss, int Tokens, IReadOnlyDictionary<string, double> Metrics);

/// <summary>
/// Optimizer steps with clipping, schedule, averaging, held-out evaluations, checkpoints and progress. Synchronous and to be run on one thread: libtorch's
/// no_grad and the dispose scopes belong to a thread. Examples and noise are functions of the step's number, so a checkpoint holds buffers and counters and
/// no random state.
/// </summary>
internal sealed class TrainingLoop(FlatParameters parameters, LoopSettings settings)
{
    public const string HeldOutLoss = "held_out_loss";
    private const int Evaluations = 10;

    private readonly LoopOptions options = settings.Options;
    private readonly StepWatch watch = new();

    /// <summary>Called after each step with its number, loss and gradient norm; may throw to stop the run.</summary>
    public Action<int, double, double>? Inspect { get; init; }

    /// <summary>Measures held-out examples without gradients; the answer holds <see cref="HeldOutLoss"/>.</summary>
    public Func<IReadOnlyDictionary<string, double>>? HeldOut { get; init; }

    /// <summary>Loss of a model that has learnt nothing, where the objective has one; NaN elsewhere.</summary>
    public double Unlearnt { get; init; } = double.NaN;

    /// <summary>Makes what the run's page shows, without gradients.</summary>
    public Func<IReadOnlyList<TrainingSample>>? Samples { get; init; }

    /// <summary>
    /// Trains to the end, from a checkpoint when the work folder holds one of the same run. The function adds the gradients of one step, counted from 0,
    /// to the cleared buffer. Afterwards the parameters hold the weights to be saved.
    /// </summary>
    public TrainingReport Run(Func<int, Accumulated> accumulate, IProgress<TrainingStep>? progress, CancellationToken ct)
    {
        try
        {
            return Train(accumulate, progress, ct);
        }
        catch (ExternalException e) when (IsOutOfMemory(e))
        {
            throw new TrainingFailedException("Memory did not suffice for a step. Lower micro_batch or the longest sequence, or train an adapter instead of all weights. The last checkpoint is kept.", TrainingVerdict.OutOfMemory);
        }
    }

    private TrainingReport Train(Func<int, Accumulated> accumulate, IProgress<TrainingStep>? progress, CancellationToken ct)
    {
        var (asked, optimizer) = (progress as ITrainingWatch, Optimizer.Create(options.Optimizer, parameters));
        using var onDevice = optimizer as IDisposable;
        ExponentialAverage? average = options.EmaDecay > 0 ? new ExponentialAverage(parameters, options.EmaDecay) : null;
        IReadOnlyList<(string, float[])> state = average is null ? optimizer.State : [.. optimizer.State, ("average", average.Values)];
        var checkpoints = new TrainingCheckpoints(Path.Combine(settings.WorkFolder, "checkpoints"), settings.Key, options.KeepLast);
        TrainingCounters at = checkpoints.Restore(parameters, state)
            ?? (asked?.StartFrom is { } start ? TrainingCheckpoints.RestoreFrom(start, parameters, state) : new TrainingCounters(0, 0, 0, 0));
        optimizer.PutState();
        if (at.Scale is { } scale) settings.Scaler?.Restore(scale);
        int resumedFrom = at.Step, saved = at.Step;
        IReadOnlyDictionary<string, double> metrics = new Dictionary<string, double>();
        var clock = new Stopwatch();
        bool stopped = false;
        try
        {
            while (at.Step < settings.TotalSteps && !(at.Seconds >= options.MaxSeconds) && !stopped)
            {
                ct.ThrowIfCancellationRequested();
                clock.Restart();
                parameters.ClearGradients();
                Accumulated result = accumulate(at.Step);
                double scaled = settings.Scaler?.Scale ?? 1, norm = parameters.GradientNorm() / scaled;
                // Gradients that left float16's range are no fault of the training: the step is passed over and the next one scaled less.
                bool update = settings.Scaler?.Took(norm) ?? true;
                if (update) watch.Look(at.Step + 1, result, norm, at.Losses.Means.Count > 0 ? at.Losses.Means[0] : null);
                double rate = options.LearningRate * options.Schedule.At(Progress(at), [.. at.HeldOut.Select(p => p.Loss)]);
                if (update) optimizer.Step(at.Step + 1, rate, (norm > options.MaxGradientNorm ? options.MaxGradientNorm / (norm + 1e-6) : 1) / scaled);
                average?.Update();
                double seconds = clock.Elapsed.TotalSeconds;
                at = at with { Step = at.Step + 1, Tokens = at.Tokens + result.Tokens, Seconds = at.Seconds + seconds, Loss = result.Loss, Losses = at.Losses.With(result.Loss), Scale = settings.Scaler?.State };
                metrics = result.Metrics;
                bool last = at.Step == settings.TotalSteps || at.Seconds >= options.MaxSeconds || asked?.FinishRequested == true;
                bool best = false;
                if (HeldOut is not null && (last || at.Step % EvaluateEvery == 0)) (at, metrics, best) = Evaluate(at, metrics, average);
                IReadOnlyList<TrainingSample> samples = Samples is not null && (last || (options.SampleEverySteps > 0 && at.Step % options.SampleEverySteps == 0)) ? Averaged(average, Samples) : [];
                progress?.Report(new TrainingStep(at.Step, settings.TotalSteps, result.Loss, rate, norm, result.Tokens / seconds, metrics) { Samples = samples });
                Inspect?.Invoke(at.Step, result.Loss, norm);
                stopped = asked?.FinishRequested == true || (options.Patience > 0 && SinceBest(at) >= options.Patience);
                // The best state is saved when an early stop may want it back; otherwise the rhythm suffices.
                if (at.Step % options.CheckpointEverySteps == 0 || (best && options.Patience > 0) || stopped)
                    saved = Save(checkpoints, optimizer, state, at, best, asked);
            }
        }
        catch (OperationCanceledException)
        {
            // A step that was cut short changed only gradients; buffers are those of the last finished step.
            if (at.Step > saved) Save(checkpoints, optimizer, state, at, false, asked);
            throw;
        }
        // Kept after the end: a run repeated because its result got lost finishes at once.
        if (at.Step > saved) Save(checkpoints, optimizer, state, at, at.HeldOut.Count > 0 && at.HeldOut[^1] is var newest && newest.Step == at.Step && newest.Loss <= at.BestHeldOut, asked);
        int weightsOf = at.Step;
        if (options.Patience > 0 && SinceBest(at) > 0 && checkpoints.TakeBest(parameters, state)) weightsOf = at.HeldOut.MinBy(p => p.Loss)!.Step;
        average?.Swap();
        var (verdict, why) = Convergence.Judge(at.Losses, [.. at.HeldOut.Select(p => (p.Step, p.Loss))], Unlearnt);
        if (weightsOf != at.Step) why += $" The run stopped early and wrote the weights of step {weightsOf}.";
        return new TrainingReport(at.Step, at.Tokens, at.Loss, at.Seconds, at.Seconds > 0 ? at.Tokens / at.Seconds : 0, "", metrics, resumedFrom)
        {
            Verdict = verdict, VerdictText = why, WeightsOfStep = weightsOf,
        };
    }

    /// <summary>The numbers of held-out examples under the names that <see cref="HeldOut"/> wants.</summary>
    public static IReadOnlyDictionary<string, double> AsHeldOut(Accumulated measured)
    {
        var named = measured.Metrics.ToDictionary(m => "held_out_" + m.Key, m => m.Value);
        named[HeldOutLoss] = measured.Loss;
        return named;
    }

    private int EvaluateEvery => options.EvaluateEverySteps > 0 ? options.EvaluateEverySteps : Math.Max(1, settings.TotalSteps / Evaluations);

    private (TrainingCounters At, IReadOnlyDictionary<string, double> Metrics, bool Best) Evaluate(TrainingCounters at, IReadOnlyDictionary<string, double> metrics, ExponentialAverage? average)
    {
        IReadOnlyDictionary<string, double> measured = Averaged(average, HeldOut!);
        double loss = measured[HeldOutLoss];
        var merged = new Dictionary<string, double>(metrics);
        foreach (var (name, value) in measured) merged[name] = value;
        // A held-out loss that is no number counts as the worst there is: JSON and averages have no place for NaN.
        double counted = double.IsFinite(loss) ? loss : double.MaxValue;
        bool best = !(counted >= at.BestHeldOut);
        return (at with { HeldOut = [.. at.HeldOut, new HeldOutPoint(at.Step, counted)] }, merged, best);
    }

    /// <summary>Evaluations since the lowest held-out loss.</summary>
    private static int SinceBest(TrainingCounters at)
    {
        int best = 0;
        for (int i = 1; i < at.HeldOut.Count; i++)
        {
            if (at.HeldOut[i].Loss < at.HeldOut[best].Loss) best = i;
        }
        return Math.Max(0, at.HeldOut.Count - 1 - best);
    }

    private static T Averaged<T>(ExponentialAverage? average, Func<T> measure)
    {
        using var noGradient = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        average?.Swap();
        try
        {
            return measure();
        }
        finally
        {
            average?.Swap();
        }
    }

    private int Save(TrainingCheckpoints checkpoints, Optimizer optimizer, IReadOnlyList<(string, float[])> state, TrainingCounters at, bool best, ITrainingWatch? asked)
    {
        optimizer.FetchState();
        SavedCheckpoint written = checkpoints.Save(parameters, state, at, best);
        checkpoints.Prune(step => asked?.Removed(step));
        asked?.Saved(written);
        return at.Step;
    }

    // With a time limit the schedule follows whichever is further, steps or time, so that the learning rate always comes down before the end.
    private double Progress(TrainingCounters at)
        => Math.Max((at.Step + 1.0) / settings.TotalSteps, options.MaxSeconds is double limit ? at.Seconds / limit : 0);

    private static bool IsOutOfMemory(ExternalException e) =>
        e.Message.Contains("can't allocate memory", StringComparison.Ordinal) || e.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase) || e.Message.Contains("bad_alloc", StringComparison.Ordinal);
}
