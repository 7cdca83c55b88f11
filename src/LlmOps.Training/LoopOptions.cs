using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;
using LlmOps.Training.Schedules;

namespace LlmOps.Training;

/// <summary>Options that every objective has, under the same names: how long, how fast, how careful.</summary>
public abstract record LoopOptions
{
    /// <summary>Peak learning rate.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Passes over the examples.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Upper limit of steps; 0 for none.</summary>
    public int MaxSteps { get; init; }

    /// <summary>Upper limit of seconds spent in steps; the learning rate decays to its end within it. Null for none. Runs it cuts short are not reproducible.</summary>
    public double? MaxSeconds { get; init; }

    /// <summary>Examples per optimizer step.</summary>
    public int BatchSize { get; init; } = 16;

    /// <summary>Examples per forward pass; a step with more accumulates gradients. 0 takes as many as fit the caches. Changes results by rounding only.</summary>
    public int MicroBatch { get; init; }

    /// <summary>Update rule.</summary>
    public OptimizerOptions Optimizer { get; init; } = new();

    /// <summary>Shape of the learning rate.</summary>
    public ScheduleOptions Schedule { get; init; } = new();

    /// <summary>Gradients are scaled down to this norm.</summary>
    public double MaxGradientNorm { get; init; } = 1;

    /// <summary>Decay of an average of the weights that is evaluated and saved instead of them; 0 for none.</summary>
    public double EmaDecay { get; init; }

    /// <summary>Seed of starting weights and order of examples.</summary>
    public int Seed { get; init; }

    /// <summary>Steps between checkpoints in the work folder.</summary>
    public int CheckpointEverySteps { get; init; } = 100;

    /// <summary>Checkpoints kept beside the best one.</summary>
    public int KeepLast { get; init; } = 2;

    /// <summary>Steps between evaluations on held-out examples; 0 for ten in a run.</summary>
    public int EvaluateEverySteps { get; init; }

    /// <summary>Held-out examples of each evaluation, the same ones every time; 0 for all there are.</summary>
    public int HeldOutExamples { get; init; } = 128;

    /// <summary>Evaluations without a lower held-out loss before the run stops and takes its best weights; 0 never stops early.</summary>
    public int Patience { get; init; }

    /// <summary>Steps between samples of what the model makes; 0 for the end only.</summary>
    public int SampleEverySteps { get; init; }

    /// <summary>Number format of a language model's matrix products, in training and in its measurements. Small models compute in float32.</summary>
    public Precision Precision { get; init; }

    /// <summary>Where a language model trains.</summary>
    public TrainingDevice Device { get; init; }

    /// <summary>
    /// Keeps only each layer's input of a language model for the backward pass and computes the rest again there: activations shrink to about one layer's, a step
    /// takes about a third longer.
    /// </summary>
    public bool RecomputeActivations { get; init; }

    /// <summary>Threads; 0 takes the number of processors.</summary>
    public int Threads { get; init; }

    /// <summary>The examples that each evaluation measures: evenly spread over all there are, so that an ordered file is not measured at its beginning only.</summary>
    internal IReadOnlyList<T> ChooseHeldOut<T>(IReadOnlyList<T> all)
    {
        if (HeldOutExamples == 0 || all.Count <= HeldOutExamples) return all;
        return [.. Enumerable.Range(0, HeldOutExamples).Select(i => all[(int)((long)i * all.Count / HeldOutExamples)])];
    }

    /// <summary>Refuses what cannot be.</summary>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    protected void ValidateLoop()
    {
        Check.Above(LearningRate, 0);
        Check.AtLeast(Epochs, 1);
        Check.AtLeast(MaxSteps, 0);
        if (MaxSeconds is double seconds) Check.Above(seconds, 0, nameof(MaxSeconds));
        Check.AtLeast(BatchSize, 1);
        Check.AtLeast(MicroBatch, 0);
        Optimizer.Validate();
        Check.Above(MaxGradientNorm, 0);
        Check.Within(EmaDecay, 0, 1);
        Check.AtLeast(CheckpointEverySteps, 1);
        Check.AtLeast(KeepLast, 1);
        Check.AtLeast(EvaluateEverySteps, 0);
        Check.AtLeast(HeldOutExamples, 0);
        Check.AtLeast(Patience, 0);
        Check.AtLeast(SampleEverySteps, 0);
        Check.AtLeast(Threads, 0);
        Schedule.Validate();
        Product.Validate(Precision, Device);
        if (Device == TrainingDevice.Cuda && Optimizer.Kind == OptimizerKind.Adafactor) throw new ArgumentException("Adafactor works on the processor only; choose AdamW, Adam, Sgd, RmsProp or Lion with the device cuda.");
    }
}
