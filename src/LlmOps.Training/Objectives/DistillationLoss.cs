using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Objectives;

/// <summary>
/// Knowledge distillation (Hinton et al. 2015): α T² KL(softmax(t/T) ‖ softmax(s/T)) + (1 − α) CE(s, label). The factor T² keeps the size of the first
/// term's gradients independent of the temperature.
/// </summary>
public static class DistillationLoss
{
    /// <summary>Loss, divergence (with its T²) and cross-entropy of each token, all [tokens], in nats.</summary>
    /// <param name="student">Scores of the student [tokens, vocabulary].</param>
    /// <param name="teacher">Scores of the teacher [tokens, vocabulary]; no gradient flows into them.</param>
    /// <param name="labels">True next tokens [tokens], int64.</param>
    /// <param name="temperature">T, above 0.</param>
    /// <param name="alpha">α: share of the teacher, 0 to 1.</param>
    public static (Tensor Loss, Tensor Divergence, Tensor CrossEntropy) Of(Tensor student, Tensor teacher, Tensor labels, double temperature, double alpha)
    {
        Tensor target = F.log_softmax(teacher.detach() / temperature, -1);
        Tensor divergence = (target.exp() * (target - F.log_softmax(student / temperature, -1))).sum(-1) * (temperature * temperature);
        Tensor crossEntropy = F.cross_entropy(student, labels, reduction: nn.Reduction.None);
        return (divergence * alpha + crossEntropy * (1 - alpha), divergence, crossEntropy);
    }
}
