namespace LlmOps.Training.Schedules;

/// <summary>Learning rate as a pure function of progress: linear warm-up, then half a cosine down to a fraction of the peak.</summary>
/// <param name="Peak">Highest learning rate.</param>
/// <param name="WarmupFraction">Share of the run spent warming up, 0 to below 1.</param>
/// <param name="FinalFraction">Learning rate at the end as a share of the peak.</param>
public sealed record WarmupCosine(double Peak, double WarmupFraction = 0.05, double FinalFraction = 0.05)
{
    /// <summary>Learning rate at a progress between 0 and 1.</summary>
    public double At(double progress)
    {
        progress = Math.Clamp(progress, 0, 1);
        if (progress < WarmupFraction) return Peak * progress / WarmupFraction;
        double decayed = (progress - WarmupFraction) / (1 - WarmupFraction);
        return Peak * (FinalFraction + (1 - FinalFraction) * 0.5 * (1 + Math.Cos(Math.PI * decayed)));
    }
}
