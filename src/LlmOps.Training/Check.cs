using System.Globalization;
using System.Runtime.CompilerServices;

namespace LlmOps.Training;

/// <summary>Checks options; messages name the option, its value and what is allowed.</summary>
internal static class Check
{
    public static void AtLeast(int value, int minimum, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (value < minimum) throw new ArgumentException($"{name} is {value}; it must be at least {minimum}.");
    }

    public static void Above(double value, double minimum, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value > minimum) || !double.IsFinite(value)) throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; it must be above {minimum}."));
    }

    public static void Within(double value, double low, double below, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value >= low && value < below)) throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; it must be at least {low} and below {below}."));
    }

    /// <summary>Options that all objectives have, under the same names.</summary>
    public static void Loop(
        int batchSize, double learningRate, int epochs, int maxSteps, double warmupFraction, double weightDecay, double maxGradientNorm, int checkpointEverySteps, int threads)
    {
        AtLeast(batchSize, 1, "BatchSize");
        Above(learningRate, 0, "LearningRate");
        AtLeast(epochs, 1, "Epochs");
        AtLeast(maxSteps, 0, "MaxSteps");
        Within(warmupFraction, 0, 1, "WarmupFraction");
        Within(weightDecay, 0, 1, "WeightDecay");
        Above(maxGradientNorm, 0, "MaxGradientNorm");
        AtLeast(checkpointEverySteps, 1, "CheckpointEverySteps");
        AtLeast(threads, 0, "Threads");
    }
}
