using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Objectives;

/// <summary>
/// Cross-entropy with label smoothing (Szegedy et al. 2016): (1 - ε) · (-log p(label)) + ε · mean over the vocabulary of -log p. With ε = 0 it is the negative
/// log-likelihood.
/// </summary>
public static class SmoothedCrossEntropy
{
    /// <summary>Sums over the scored tokens, in float64 so that a step's loss does not depend on how it is cut into parts: the loss to train on, and the negative log-likelihood without smoothing, in nats.</summary>
    public static (Tensor Loss, Tensor Nll) Sum(CausalLanguageModel model, TokenBatch batch, double smoothing)
    {
        if (smoothing == 0)
        {
            Tensor sum = -TokenLogProbabilities.Of(model, batch).sum(ScalarType.Float64);
            return (sum, sum);
        }
        Tensor logits = model.Logits(model.Hidden(batch).index_select(0, model.Place(batch.ScoredAt)));
        Tensor log = F.log_softmax(logits, 1);
        Tensor nll = -log.gather(1, model.Place(batch.Labels).unsqueeze(1)).sum(ScalarType.Float64);
        return (nll * (1 - smoothing) - log.mean([1]).sum(ScalarType.Float64) * smoothing, nll.detach());
    }
}
