using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Objectives;

/// <summary>
/// Direct preference optimisation (Rafailov et al. 2023), sigmoid form: -log σ(β((log π(c) - log π_ref(c)) - (log π(r) - log π_ref(r)))), where c is
/// the chosen and r the rejected completion and log-probabilities are sums over completion tokens.
/// </summary>
public static class DirectPreferenceLoss
{
    /// <summary>Loss and implicit rewards of each pair, all [pairs].</summary>
    /// <param name="chosen">log π of the chosen completions.</param>
    /// <param name="rejected">log π of the rejected completions.</param>
    /// <param name="referenceChosen">log π_ref of the chosen completions.</param>
    /// <param name="referenceRejected">log π_ref of the rejected completions.</param>
    /// <param name="beta">Strength of the pull towards the reference; greater stays closer.</param>
    public static (Tensor Loss, Tensor ChosenReward, Tensor RejectedReward) Of(
        Tensor chosen, Tensor rejected, Tensor referenceChosen, Tensor referenceRejected, double beta)
    {
        Tensor chosenReward = (chosen - referenceChosen) * beta;
        Tensor rejectedReward = (rejected - referenceRejected) * beta;
        return (-F.logsigmoid(chosenReward - rejectedReward), chosenReward, rejectedReward);
    }
}
