namespace LlmOps.Training;

/// <summary>What one optimizer step measured.</summary>
/// <param name="Step">Number of the step just finished, from 1.</param>
/// <param name="TotalSteps">Steps planned.</param>
/// <param name="Loss">Loss of this step's examples, in nats.</param>
/// <param name="LearningRate">Learning rate used.</param>
/// <param name="GradientNorm">Euclidean norm of all gradients before clipping.</param>
/// <param name="TokensPerSecond">Tokens of this step (padding excluded) divided by its wall time.</param>
/// <param name="Metrics">Further numbers of the objective, by the names the field uses (for DPO those of TRL).</param>
public sealed record TrainingStep(
    int Step, int TotalSteps, double Loss, double LearningRate, double GradientNorm, double TokensPerSecond, IReadOnlyDictionary<string, double> Metrics)
{
    /// <summary>What the model made after this step; empty for most steps.</summary>
    public IReadOnlyList<TrainingSample> Samples { get; init; } = [];
}

/// <summary>Something that the model made while it was trained: a text or a picture.</summary>
/// <param name="Title">What it is; the same title at several steps is one series.</param>
/// <param name="Text">The text, or what the picture shows for those who do not see it.</param>
/// <param name="Png">The picture as a PNG file; null for a text.</param>
public sealed record TrainingSample(string Title, string Text, byte[]? Png = null);

/// <summary>Result of a finished training run.</summary>
/// <param name="Steps">Optimizer steps taken, resumed ones included.</param>
/// <param name="Tokens">Tokens processed, padding excluded, resumed ones included.</param>
/// <param name="FinalLoss">Loss of the last step, in nats.</param>
/// <param name="Seconds">Time spent in steps, resumed ones included.</param>
/// <param name="TokensPerSecond">Tokens divided by seconds.</param>
/// <param name="WeightsSha256">Digest of the written model.safetensors, lower-case hex.</param>
/// <param name="Metrics">Metrics of the last step and counts about the data.</param>
/// <param name="ResumedFromStep">Step the run continued from; 0 when it started anew.</param>
public sealed record TrainingReport(
    int Steps, long Tokens, double FinalLoss, double Seconds, double TokensPerSecond, string WeightsSha256, IReadOnlyDictionary<string, double> Metrics,
    int ResumedFromStep)
{
    /// <summary>How the run ended.</summary>
    public TrainingVerdict Verdict { get; init; }

    /// <summary>One sentence that says why.</summary>
    public string VerdictText { get; init; } = "";

    /// <summary>What was found in the data before the first step; null where nothing was looked for.</summary>
    public TrainingDataReport? Data { get; init; }

    /// <summary>Step whose weights were written: the last one, or the best one after an early stop.</summary>
    public int WeightsOfStep { get; init; }
}

/// <summary>Training cannot go on: the loss is no longer a number, or nothing is being learned. Trying again with the same options does not help.</summary>
/// <param name="message">What was seen at which step, and what to change.</param>
/// <param name="verdict">The name of what was seen.</param>
public sealed class TrainingFailedException(string message, TrainingVerdict verdict = TrainingVerdict.Failed) : Exception(message)
{
    /// <summary>The name of what was seen.</summary>
    public TrainingVerdict Verdict { get; } = verdict;
}
