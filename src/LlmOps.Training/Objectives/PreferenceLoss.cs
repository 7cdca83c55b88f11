using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Objectives;

/// <summary>
/// Losses of preference pairs as pure functions of log-probabilities, each [pairs], in the element type of the input. With r_c and r_r the log-ratios
/// to the reference, Δ = r_c − r_r, n the completion's number of tokens, p̄ = log π / n and σ the logistic function:
/// <list type="bullet">
/// <item>Sigmoid: −log σ(βΔ)</item>
/// <item>ConservativeSigmoid: −(1−ε) log σ(βΔ) − ε log σ(−βΔ)</item>
/// <item>Hinge: max(0, 1 − βΔ)</item>
/// <item>Identity: (r_c/n_c − r_r/n_r − 1/(2β))²</item>
/// <item>Robust: [−(1−ε) log σ(βΔ) + ε log σ(−βΔ)] / (1−2ε)</item>
/// <item>AnchoredZero: (1 − σ(βr_c)) + σ(βr_r)</item>
/// <item>SelfPlayHard: (r_c − 1/(2β))² + (r_r + 1/(2β))²</item>
/// <item>NormalizedSigmoid: −log σ(β(r_c/n_c − r_r/n_r))</item>
/// <item>OddsRatio: −β log σ(log odds(p̄_c) − log odds(p̄_r)), where log odds(x) = x − log(1 − eˣ); its likelihood term is added by <see cref="PreferenceAlignment"/></item>
/// <item>Contrastive: −log σ(β(log π(c) − log π(r)))</item>
/// <item>Simple: −log σ(β(p̄_c − p̄_r) − γ)</item>
/// </list>
/// </summary>
/// <param name="Objective">Which formula.</param>
/// <param name="Beta">β, above 0; λ of the odds ratio.</param>
/// <param name="LabelSmoothing">ε: probability that a label is wrong, 0 to below ½.</param>
/// <param name="Gamma">γ: margin that the simple objective asks for.</param>
public sealed record PreferenceLoss(PreferenceObjective Objective, double Beta, double LabelSmoothing = 0, double Gamma = 0)
{
    // A mean token probability of exactly 1 has infinite odds. The bound is what float32 can still tell from 1.
    private const double LargestMean = -1e-7;

    /// <summary>Loss of each pair [pairs].</summary>
    /// <exception cref="ArgumentException">The objective needs a reference and there is none.</exception>
    public Tensor Of(PairLogProbabilities pairs) => Objective switch
    {
        PreferenceObjective.Sigmoid => -F.logsigmoid(Delta(pairs) * Beta),
        PreferenceObjective.ConservativeSigmoid => -F.logsigmoid(Delta(pairs) * Beta) * (1 - LabelSmoothing) - F.logsigmoid(Delta(pairs) * -Beta) * LabelSmoothing,
        PreferenceObjective.Hinge => F.relu(1 - Delta(pairs) * Beta),
        PreferenceObjective.Identity => (NormalizedDelta(pairs) - 1 / (2 * Beta)).square(),
        PreferenceObjective.Robust =>
            (F.logsigmoid(Delta(pairs) * -Beta) * LabelSmoothing - F.logsigmoid(Delta(pairs) * Beta) * (1 - LabelSmoothing)) / (1 - 2 * LabelSmoothing),
        PreferenceObjective.AnchoredZero => 1 - sigmoid(pairs.ChosenRatio * Beta) + sigmoid(pairs.RejectedRatio * Beta),
        PreferenceObjective.SelfPlayHard => (pairs.ChosenRatio - 1 / (2 * Beta)).square() + (pairs.RejectedRatio + 1 / (2 * Beta)).square(),
        PreferenceObjective.NormalizedSigmoid => -F.logsigmoid(NormalizedDelta(pairs) * Beta),
        PreferenceObjective.OddsRatio => F.logsigmoid(LogOdds(pairs)) * -Beta,
        PreferenceObjective.Contrastive => -F.logsigmoid((pairs.Chosen - pairs.Rejected) * Beta),
        PreferenceObjective.Simple => -F.logsigmoid((pairs.ChosenMean - pairs.RejectedMean) * Beta - Gamma),
        _ => throw new ArgumentException($"{Objective} is no preference objective."),
    };

    /// <summary>Implicit rewards of the chosen and the rejected completions [pairs], outside the gradient: β times the score that the objective compares.</summary>
    public (Tensor Chosen, Tensor Rejected) Rewards(PairLogProbabilities pairs)
    {
        using var noGradient = no_grad();
        return Objective switch
        {
            PreferenceObjective.OddsRatio or PreferenceObjective.Simple => (pairs.ChosenMean * Beta, pairs.RejectedMean * Beta),
            PreferenceObjective.Contrastive => (pairs.Chosen * Beta, pairs.Rejected * Beta),
            _ => (pairs.ChosenRatio * Beta, pairs.RejectedRatio * Beta),
        };
    }

    /// <summary>Log-odds of the chosen completion's mean token probability over the rejected one's [pairs].</summary>
    public static Tensor LogOdds(PairLogProbabilities pairs)
    {
        Tensor chosen = pairs.ChosenMean.clamp_max(LargestMean), rejected = pairs.RejectedMean.clamp_max(LargestMean);
        return chosen - rejected - (LogOneMinusExp(chosen) - LogOneMinusExp(rejected));
    }

    /// <summary>Loss of a pair while the model is still its own reference, NaN when the objective has none. Staying there means that nothing is learned.</summary>
    public double AtReference => Objective switch
    {
        PreferenceObjective.Sigmoid or PreferenceObjective.ConservativeSigmoid or PreferenceObjective.Robust or PreferenceObjective.NormalizedSigmoid => Math.Log(2),
        PreferenceObjective.Hinge or PreferenceObjective.AnchoredZero => 1,
        PreferenceObjective.Identity => 1 / (4 * Beta * Beta),
        PreferenceObjective.SelfPlayHard => 1 / (2 * Beta * Beta),
        _ => double.NaN,
    };

    // Both branches are kept inside their own domain: the gradient of the one that is not taken would otherwise be 0 · ∞.
    private static Tensor LogOneMinusExp(Tensor x)
    {
        double half = -Math.Log(2);
        return where(x.gt(half), (-x.clamp_min(half).expm1()).log(), (-x.clamp_max(half).exp()).log1p());
    }

    private static Tensor Delta(PairLogProbabilities pairs) => pairs.ChosenRatio - pairs.RejectedRatio;

    private static Tensor NormalizedDelta(PairLogProbabilities pairs) => pairs.ChosenRatio / pairs.ChosenTokens - pairs.RejectedRatio / pairs.RejectedTokens;
}
