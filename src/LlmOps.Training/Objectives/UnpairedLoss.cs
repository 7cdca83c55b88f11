using static TorchSharp.torch;

namespace LlmOps.Training.Objectives;

/// <summary>
/// Kahneman-Tversky optimisation (Ethayarajh et al. 2024) on single completions marked desirable or not. With r = log π − log π_ref (sums over the
/// completion) and the baseline z₀: desirable λ_D (1 − σ(β(r − z₀))), undesirable λ_U (1 − σ(β(z₀ − r))).
/// </summary>
/// <param name="Beta">β, above 0.</param>
/// <param name="DesirableWeight">λ_D.</param>
/// <param name="UndesirableWeight">λ_U.</param>
public sealed record UnpairedLoss(double Beta, double DesirableWeight = 1, double UndesirableWeight = 1)
{
    /// <summary>Loss of each completion [rows].</summary>
    /// <param name="ratios">r of each completion [rows].</param>
    /// <param name="desirable">1 for desirable, 0 for undesirable [rows], in the ratios' element type.</param>
    /// <param name="baseline">z₀ of the whole step, from <see cref="Baseline"/>.</param>
    public Tensor Of(Tensor ratios, Tensor desirable, double baseline)
    {
        // 1 − σ(x) = σ(−x); the sign turns with the label.
        Tensor sign = desirable * 2 - 1;
        Tensor weight = desirable * (DesirableWeight - UndesirableWeight) + UndesirableWeight;
        return weight * sigmoid((ratios - baseline) * sign * -Beta);
    }

    /// <summary>z₀ = max(0, mean of log π(y′|x) − log π_ref(y′|x)) over prompts with another prompt's completion: an estimate of the divergence from the reference, outside the gradient.</summary>
    /// <exception cref="ArgumentException">There is no mismatched completion.</exception>
    public static double Baseline(IReadOnlyCollection<double> mismatchedRatios)
        => mismatchedRatios.Count == 0 ? throw new ArgumentException("The divergence cannot be estimated without mismatched completions.") : Math.Max(0, mismatchedRatios.Average());

    /// <summary>λ_D n_D / (λ_U n_U); the paper asks for 1 to 4/3. Infinite without undesirable rows.</summary>
    public double Balance(int desirable, int undesirable) => undesirable == 0 ? double.PositiveInfinity : DesirableWeight * desirable / (UndesirableWeight * undesirable);
}
