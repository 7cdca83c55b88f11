namespace LlmOps.Training;

/// <summary>Factor of the loss and how many steps it has held.</summary>
internal sealed record LossScale(double Factor, int GoodSteps);

/// <summary>
/// Dynamic loss scaling (Micikevicius et al. 2018) with the constants that PyTorch's scaler uses: the loss is multiplied by a factor that starts at 65,536; gradients are
/// divided by it before the update. A step whose gradients are not finite is passed over and the factor halved; after 2,000 good steps it is doubled.
/// </summary>
internal sealed class LossScaler
{
    private const double Start = 65_536, Growth = 2, Backoff = 0.5, Smallest = 1.0 / 1024;
    private const int Interval = 2_000;

    /// <summary>Where the scaler stands; a checkpoint holds it.</summary>
    public LossScale State { get; private set; } = new(Start, 0);

    /// <summary>Factor of the next step's loss.</summary>
    public double Scale => State.Factor;

    /// <summary>Goes on from a checkpoint.</summary>
    public void Restore(LossScale state) => State = state;

    /// <summary>Judges a step's gradients; false when it is to be passed over.</summary>
    /// <param name="norm">Norm of the gradients.</param>
    /// <exception cref="TrainingFailedException">The factor is as small as it gets and gradients still leave the range.</exception>
    public bool Took(double norm)
    {
        if (double.IsFinite(norm))
        {
            State = State.GoodSteps + 1 == Interval ? new LossScale(State.Factor * Growth, 0) : State with { GoodSteps = State.GoodSteps + 1 };
            return true;
        }
        if (State.Factor <= Smallest)
            throw new TrainingFailedException("Gradients leave the range of float16 whatever the loss is scaled by. Lower the learning rate, or set precision to bfloat16 or float32.", TrainingVerdict.Diverged);
        State = new LossScale(State.Factor * Backoff, 0);
        return false;
    }
}
