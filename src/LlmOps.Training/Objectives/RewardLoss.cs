using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Objectives;

/// <summary>Bradley-Terry likelihood of a preference under two rewards (Ouyang et al. 2022): −log σ(r_c − r_r − m) + κ (r_c + r_r)².</summary>
public static class RewardLoss
{
    /// <summary>Loss of each pair [pairs].</summary>
    /// <param name="chosen">Rewards of the chosen completions [pairs].</param>
    /// <param name="rejected">Rewards of the rejected completions [pairs].</param>
    /// <param name="margin">m: by how much the chosen reward should be greater.</param>
    /// <param name="centreCoefficient">κ: pulls the mean reward to zero, which the likelihood alone leaves free; 0 for none.</param>
    public static Tensor Of(Tensor chosen, Tensor rejected, double margin = 0, double centreCoefficient = 0)
    {
        Tensor loss = -F.logsigmoid(chosen - rejected - margin);
        return centreCoefficient == 0 ? loss : loss + (chosen + rejected).square() * centreCoefficient;
    }
}
