using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Training;
using LlmOps.Training.Adapters;
using LlmOps.Training.Architectures;
using LlmOps.Training.Optimizers;
using LlmOps.Training.Schedules;

namespace LlmOps.Worker;

/// <summary>The one place where a stage's training parameters become the options of the engine.</summary>
public static class TrainingOptions
{
    /// <summary>With what goes on from a version in the same way, whatever it learns.</summary>
    public static T With<T>(this T options, ContinuedParameters p, int threads) where T : ContinuedTraining => (T)((ContinuedTraining)options.With((TrainingParameters)p, threads) with
    {
        Adapter = p.Method == "lora" ? new AdapterOptions(p.LoraRank, p.LoraAlpha) : null, Leakage = Leakage(p.Leakage),
    });

    public static LeakagePolicy Leakage(string name) => name switch
    {
        "warn" => LeakagePolicy.Warn, "refuse" => LeakagePolicy.Refuse, "drop" => LeakagePolicy.Drop, _ => throw new ArgumentException($"The leakage policy '{name}' is unknown."),
    };

    public static T With<T>(this T options, TrainingParameters p, int threads) where T : LoopOptions => (T)((LoopOptions)options with
    {
        LearningRate = p.LearningRate, Epochs = p.Epochs, MaxSteps = p.MaxSteps, BatchSize = p.BatchSize, MicroBatch = p.MicroBatch, MaxGradientNorm = p.MaxGradientNorm,
        EmaDecay = p.EmaDecay, EvaluateEverySteps = p.EvaluateEvery, HeldOutExamples = p.HeldOutExamples, Patience = p.Patience, SampleEverySteps = p.SampleEvery,
        CheckpointEverySteps = p.CheckpointEvery, KeepLast = p.KeepCheckpoints, Seed = p.Seed, Threads = threads,
        RecomputeActivations = p.RecomputeActivations, Precision = Format(p.Precision), Device = p.Device == "cuda" ? TrainingDevice.Cuda : TrainingDevice.Cpu,
        Optimizer = options.Optimizer with { Kind = Rule(p.Optimizer), Momentum = p.Momentum, Nesterov = p.Nesterov, WeightDecay = p.WeightDecay, L1 = p.L1 },
        Schedule = options.Schedule with { Kind = Shape(p.Schedule), WarmupFraction = p.WarmupFraction, FinalFraction = p.FinalFraction },
    });

    private static Precision Format(string name) => name switch
    {
        "float32" => Precision.Float32, "bfloat16" => Precision.BFloat16, "float16" => Precision.Float16, _ => throw new ArgumentException($"The precision '{name}' is unknown."),
    };

    private static OptimizerKind Rule(string name) => name switch
    {
        "adamw" => OptimizerKind.AdamW, "adam" => OptimizerKind.Adam, "sgd" => OptimizerKind.Sgd, "rmsprop" => OptimizerKind.RmsProp, "adafactor" => OptimizerKind.Adafactor,
        "lion" => OptimizerKind.Lion, _ => throw new ArgumentException($"The optimizer '{name}' is unknown."),
    };

    private static ScheduleKind Shape(string name) => name switch
    {
        "cosine" => ScheduleKind.Cosine, "linear" => ScheduleKind.Linear, "constant" => ScheduleKind.Constant, "wsd" => ScheduleKind.Wsd, "inverse-sqrt" => ScheduleKind.InverseSquareRoot,
        "polynomial" => ScheduleKind.Polynomial, "cosine-restarts" => ScheduleKind.CosineRestarts, "plateau" => ScheduleKind.Plateau,
        _ => throw new ArgumentException($"The schedule '{name}' is unknown."),
    };
}
