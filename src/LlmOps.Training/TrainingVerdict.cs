using System.Globalization;
using System.Text.Json.Serialization;

namespace LlmOps.Training;

/// <summary>How a training ended, in one word.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TrainingVerdict>))]
public enum TrainingVerdict
{
    /// <summary>Too few steps or evaluations to say anything.</summary>
    CannotTell,
    /// <summary>The last quarter of the run still brought a tenth of the whole gain or more.</summary>
    StillImproving,
    /// <summary>The last quarter brought next to nothing.</summary>
    Converged,
    /// <summary>The whole second half brought next to nothing, or the loss never moved.</summary>
    Plateau,
    /// <summary>The held-out loss rose while the training loss fell.</summary>
    Overfitting,
    /// <summary>The loss stayed far above where it began.</summary>
    Diverged,
    /// <summary>The loss or a gradient was NaN or infinite.</summary>
    NotANumber,
    /// <summary>Gradients stayed a thousand times above their usual size.</summary>
    ExplodingGradients,
    /// <summary>A preference loss stayed at ln 2, where a model is that knows no preference.</summary>
    StuckAtLn2,
    /// <summary>A step had no token or example that counts.</summary>
    NothingLabelled,
    /// <summary>Memory did not suffice.</summary>
    OutOfMemory,
    /// <summary>Failed for another reason.</summary>
    Failed,
}

/// <summary>Means of consecutive training losses, at most a few hundred however long the run.</summary>
/// <param name="Means">Mean loss of each full window, oldest first.</param>
/// <param name="Window">Steps per window; doubled whenever the list is full.</param>
/// <param name="Sum">Sum of the window that is being filled.</param>
/// <param name="Count">Losses in it.</param>
public sealed record LossHistory(IReadOnlyList<double> Means, int Window, double Sum, int Count)
{
    private const int Limit = 256;

    /// <summary>Before the first step.</summary>
    public static LossHistory Empty { get; } = new([], 1, 0, 0);

    /// <summary>With one more loss.</summary>
    public LossHistory With(double loss)
    {
        if (Count + 1 < Window) return this with { Sum = Sum + loss, Count = Count + 1 };
        double[] means = [.. Means, (Sum + loss) / Window];
        return means.Length < Limit
            ? new LossHistory(means, Window, 0, 0)
            : new LossHistory([.. means.Chunk(2).Select(pair => pair.Average())], 2 * Window, 0, 0);
    }
}

/// <summary>Names what the curves of a finished run show. Pure.</summary>
public static class Convergence
{
    private const int FewestEvaluations = 4;
    private const int FewestWindows = 16;
    private const int FewestStuck = 4;

    /// <summary>Verdict and the sentence that explains it.</summary>
    /// <param name="losses">Training losses.</param>
    /// <param name="heldOut">Held-out losses with the steps done before each, oldest first; empty when none were measured.</param>
    /// <param name="unlearnt">Loss of a model that has learnt nothing; NaN where the objective has none.</param>
    public static (TrainingVerdict Verdict, string Text) Judge(LossHistory losses, IReadOnlyList<(int Step, double Loss)> heldOut, double unlearnt = double.NaN)
    {
        if (Stuck(losses, heldOut, unlearnt) is { } stuck) return (unlearnt == Math.Log(2) ? TrainingVerdict.StuckAtLn2 : TrainingVerdict.Plateau, stuck);
        if (heldOut.Count >= FewestEvaluations && Overfitted(losses, heldOut) is { } worse) return (TrainingVerdict.Overfitting, worse);
        bool byHeldOut = heldOut.Count >= FewestEvaluations;
        double[] curve = byHeldOut ? [.. heldOut.Select(p => p.Loss)] : [.. losses.Means];
        string of = byHeldOut ? "held-out loss" : "training loss";
        if (!byHeldOut && curve.Length < FewestWindows)
            return (TrainingVerdict.CannotTell, "The run is too short to say whether it converged: fewer than 16 steps and fewer than 4 held-out evaluations.");
        double start = Mean(curve, 0, 0.1), end = Mean(curve, 0.75, 1), gain = start - curve.Min();
        if (gain <= 0.01 * Math.Abs(start)) return (TrainingVerdict.Plateau, Say($"The {of} hardly moved: it began at {start:0.####} and ended at {end:0.####}. Raise the learning rate or look at the data."));
        double lateGain = Mean(curve, 0.5, 0.75) - end, halfGain = Mean(curve, 0.25, 0.5) - end;
        if (lateGain >= 0.1 * gain) return (TrainingVerdict.StillImproving, Say($"The {of} was still falling in the last quarter ({lateGain / gain:P0} of the whole gain). More steps are likely to help."));
        return halfGain < 0.02 * gain
            ? (TrainingVerdict.Plateau, Say($"The {of} has been flat for the second half of the run, at {end:0.####}. More steps like these bring nothing."))
            : (TrainingVerdict.Converged, Say($"The {of} fell from {start:0.####} to {end:0.####} and the last quarter brought {Math.Max(0, lateGain / gain):P0} of that."));
    }

    private static string? Overfitted(LossHistory losses, IReadOnlyList<(int Step, double Loss)> heldOut)
    {
        var best = heldOut.MinBy(p => p.Loss);
        var last = heldOut[^1];
        if (last.Step == best.Step || last.Loss <= best.Loss + 0.01 * Math.Abs(best.Loss)) return null;
        double[] since = [.. losses.Means.Skip(best.Step / losses.Window)];
        // A training loss that rises as well is a run that goes wrong, not one that learns by heart.
        if (since.Length >= 4 && Mean(since, 0.5, 1) > Mean(since, 0, 0.5)) return null;
        return Say($"The held-out loss was lowest after step {best.Step} ({best.Loss:0.####}) and rose to {last.Loss:0.####} while the training loss went on falling: from there the model learned its examples by heart.");
    }

    // A thousandth is below what any step that learns brings, and far above rounding.
    private static string? Stuck(LossHistory losses, IReadOnlyList<(int Step, double Loss)> heldOut, double unlearnt)
    {
        if (losses.Means.Count < FewestStuck || !losses.Means.All(At) || !heldOut.All(p => At(p.Loss))) return null;
        string at = unlearnt == Math.Log(2) ? "ln 2" : Say($"{unlearnt:0.####}");
        return Say($"Nothing was learned: over the whole run the loss is {at}, where a model is that knows no preference ({losses.Means[0]:0.######} at first, {losses.Means[^1]:0.######} at last). Raise the learning rate, or train longer.");

        bool At(double loss) => Math.Abs(loss - unlearnt) <= 1e-3 * Math.Abs(unlearnt);
    }

    private static double Mean(double[] curve, double from, double to)
    {
        int start = Math.Min((int)(from * curve.Length), curve.Length - 1), end = Math.Max(start + 1, (int)(to * curve.Length));
        return curve[start..end].Average();
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
