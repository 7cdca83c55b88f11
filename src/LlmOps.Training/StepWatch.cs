using System.Globalization;

namespace LlmOps.Training;

/// <summary>Looks at each step and ends a run that cannot come to anything, by the name of what is wrong.</summary>
internal sealed class StepWatch
{
    private const int PatientSteps = 20;
    private const double FarAbove = 1.25;
    private const double Explosion = 1000;
    private const int ExplodedSteps = 5;
    private const int RememberedNorms = 100;

    private readonly Queue<double> norms = new();
    private int above, exploded;

    /// <param name="step">Number of the step, from 1.</param>
    /// <param name="result">What it measured.</param>
    /// <param name="norm">Gradient norm before clipping.</param>
    /// <param name="begun">Mean loss of the first steps, once there is one.</param>
    /// <exception cref="TrainingFailedException">The run is of no use any more.</exception>
    public void Look(int step, Accumulated result, double norm, double? begun)
    {
        if (result.Tokens == 0)
            throw Fail(TrainingVerdict.NothingLabelled, $"Step {step} has no token that counts: every one is masked or padding. Look at the examples; a completion may be cut off by the length limit.");
        if (!double.IsFinite(result.Loss) || !double.IsFinite(norm))
            throw Fail(TrainingVerdict.NotANumber, $"Training diverged at step {step}: loss {result.Loss}, gradient norm {norm}. Lower the learning rate or lengthen the warm-up. The last checkpoint before it is kept.");
        above = begun > 0 && result.Loss > FarAbove * begun ? above + 1 : 0;
        if (above == PatientSteps)
            throw Fail(TrainingVerdict.Diverged, $"Training diverged: for {PatientSteps} steps up to step {step} the loss is above {FarAbove:0.##} times where it began ({result.Loss:0.####} against {begun:0.####}). Lower the learning rate or lengthen the warm-up. The last checkpoint before it is kept.");
        double usual = norms.Count < PatientSteps ? double.PositiveInfinity : norms.Order().ElementAt(norms.Count / 2);
        exploded = norm > Explosion * usual && usual > 0 ? exploded + 1 : 0;
        if (exploded == ExplodedSteps)
            throw Fail(TrainingVerdict.ExplodingGradients, $"Gradients explode: for {ExplodedSteps} steps up to step {step} their norm is over {Explosion:0} times its usual size ({norm:0.##} against {usual:0.####}). Lower the learning rate or look for broken examples. The last checkpoint before it is kept.");
        // Outliers stay out of what is usual, otherwise a long explosion would become normal.
        if (exploded > 0) return;
        norms.Enqueue(norm);
        if (norms.Count > RememberedNorms) norms.Dequeue();
    }

    private static TrainingFailedException Fail(TrainingVerdict verdict, FormattableString text) => new(text.ToString(CultureInfo.InvariantCulture), verdict);
}
