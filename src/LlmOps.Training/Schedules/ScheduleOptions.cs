using System.Text.Json.Serialization;

namespace LlmOps.Training.Schedules;

/// <summary>Shapes of the learning rate after its warm-up.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ScheduleKind>))]
public enum ScheduleKind
{
    /// <summary>Half a cosine from 1 to the final fraction.</summary>
    Cosine,
    /// <summary>A straight line from 1 to the final fraction.</summary>
    Linear,
    /// <summary>Always 1.</summary>
    Constant,
    /// <summary>Warm-up, stable, decay: 1 until the decay begins, then a straight line to the final fraction.</summary>
    Wsd,
    /// <summary>√(w / p): the inverse square root of the step, 1 at the end of the warm-up.</summary>
    InverseSquareRoot,
    /// <summary>(1 - x)^power between 1 and the final fraction.</summary>
    Polynomial,
    /// <summary>Several half cosines, each beginning again at 1.</summary>
    CosineRestarts,
    /// <summary>1, cut by a factor whenever the held-out loss has stopped falling.</summary>
    Plateau,
}

/// <summary>
/// Learning rate as a pure function of progress: linear warm-up over a share w of the run, then a shape over x = (p - w) / (1 - w). Formulas as in the
/// schedulers of Hugging Face's transformers, with a lower end instead of 0.
/// </summary>
/// <param name="Kind">The shape.</param>
public sealed record ScheduleOptions(ScheduleKind Kind = ScheduleKind.Cosine)
{
    /// <summary>Share of the run with rising learning rate, 0 to below 1.</summary>
    public double WarmupFraction { get; init; } = 0.05;

    /// <summary>Learning rate at the end as a share of the peak, 0 to 1.</summary>
    public double FinalFraction { get; init; } = 0.05;

    /// <summary>Share of the run that <see cref="ScheduleKind.Wsd"/> takes to come down.</summary>
    public double DecayFraction { get; init; } = 0.2;

    /// <summary>Exponent of <see cref="ScheduleKind.Polynomial"/>.</summary>
    public double Power { get; init; } = 1;

    /// <summary>Number of half cosines of <see cref="ScheduleKind.CosineRestarts"/>.</summary>
    public int Cycles { get; init; } = 3;

    /// <summary>What <see cref="ScheduleKind.Plateau"/> multiplies the learning rate with.</summary>
    public double PlateauFactor { get; init; } = 0.5;

    /// <summary>Held-out evaluations without improvement before <see cref="ScheduleKind.Plateau"/> cuts.</summary>
    public int PlateauPatience { get; init; } = 2;

    /// <summary>Factor of the peak at a progress p between 0 and 1.</summary>
    /// <param name="progress">Share of the run that is done, the coming step included.</param>
    /// <param name="heldOut">Held-out losses so far, oldest first; only <see cref="ScheduleKind.Plateau"/> looks at them.</param>
    public double At(double progress, IReadOnlyList<double>? heldOut = null)
    {
        double p = Math.Clamp(progress, 0, 1), w = WarmupFraction;
        if (p < w) return p / w;
        double x = (p - w) / (1 - w), rest = 1 - FinalFraction;
        return Kind switch
        {
            ScheduleKind.Cosine => FinalFraction + rest * 0.5 * (1 + Math.Cos(Math.PI * x)),
            ScheduleKind.Linear => FinalFraction + rest * (1 - x),
            ScheduleKind.Constant => 1,
            ScheduleKind.Wsd => p <= 1 - DecayFraction ? 1 : FinalFraction + rest * (1 - p) / DecayFraction,
            ScheduleKind.InverseSquareRoot => Math.Sqrt(w / p),
            ScheduleKind.Polynomial => FinalFraction + rest * Math.Pow(1 - x, Power),
            // x = 1 is the end of the last cycle, not the beginning of another.
            ScheduleKind.CosineRestarts => FinalFraction + rest * 0.5 * (1 + Math.Cos(Math.PI * (x >= 1 ? 1 : Cycles * x % 1))),
            ScheduleKind.Plateau => Math.Max(FinalFraction, Math.Pow(PlateauFactor, Cuts(heldOut ?? [], PlateauPatience))),
            _ => throw new ArgumentException($"The schedule {Kind} is unknown."),
        };
    }

    /// <summary>How often the learning rate is cut: each time that <paramref name="patience"/> losses in a row were no lower than the best by 1e-4 of it.</summary>
    public static int Cuts(IReadOnlyList<double> heldOut, int patience)
    {
        int cuts = 0, bad = 0;
        double best = double.PositiveInfinity;
        foreach (double loss in heldOut)
        {
            if (loss < best - 1e-4 * Math.Abs(best) || double.IsPositiveInfinity(best)) (best, bad) = (loss, 0);
            else if (++bad >= patience) (cuts, bad) = (cuts + 1, 0);
        }
        return cuts;
    }

    internal void Validate()
    {
        Check.Within(WarmupFraction, 0, 1);
        if (!(FinalFraction is >= 0 and <= 1)) throw new ArgumentException($"FinalFraction is {FinalFraction}; it must be between 0 and 1.");
        if (Kind == ScheduleKind.Wsd && !(DecayFraction > 0 && DecayFraction + WarmupFraction <= 1))
            throw new ArgumentException($"DecayFraction is {DecayFraction}; it must be above 0 and leave room for a warm-up of {WarmupFraction}.");
        if (Kind == ScheduleKind.InverseSquareRoot && WarmupFraction == 0) throw new ArgumentException("WarmupFraction is 0; the inverse square root needs a warm-up, its end is where the factor is 1.");
        if (Kind == ScheduleKind.Polynomial) Check.Above(Power, 0);
        if (Kind == ScheduleKind.CosineRestarts) Check.AtLeast(Cycles, 1);
        if (Kind == ScheduleKind.Plateau)
        {
            Check.Within(PlateauFactor, 0, 1);
            Check.AtLeast(PlateauPatience, 1);
        }
    }
}
