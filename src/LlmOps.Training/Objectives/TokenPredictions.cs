using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Objectives;

/// <summary>
/// What a model predicts at the scored places of a batch, beside how likely the labels are: sums over those places, to be divided by their number.
/// The entropy of a distribution is −Σ p log p over the vocabulary; TRL logs its mean as <c>entropy</c> and the share of correct places as <c>mean_token_accuracy</c>.
/// </summary>
/// <param name="Nll">Sum of −log p(label), in nats.</param>
/// <param name="Entropy">Sum of the entropies, in nats; each is between 0 and log(vocabulary).</param>
/// <param name="Correct">Places whose label has the highest score.</param>
public sealed record TokenPredictions(double Nll, double Entropy, long Correct)
{
    // A chunk of 16 MiB of scores: log-probabilities and probabilities stand beside it.
    private const long ChunkScores = 1 << 22;

    /// <summary>Measures without gradients. The output head runs on scored places only, a few rows at a time.</summary>
    public static TokenPredictions Of(CausalLanguageModel model, TokenBatch batch)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor hidden = model.Hidden(batch).index_select(0, model.Place(batch.ScoredAt));
        long rows = Math.Max(1, ChunkScores / model.Config.VocabSize);
        var sum = new TokenPredictions(0, 0, 0);
        for (long start = 0; start < hidden.shape[0]; start += rows)
        {
            using var part = NewDisposeScope();
            long count = Math.Min(rows, hidden.shape[0] - start);
            Tensor labels = model.Place(batch.Labels.AsSpan((int)start, (int)count).ToArray());
            var (nll, entropy, correct) = Of(model.Logits(hidden.narrow(0, start, count)), labels);
            sum = new TokenPredictions(sum.Nll + nll, sum.Entropy + entropy, sum.Correct + correct);
        }
        return sum;
    }

    /// <summary>The same of given scores.</summary>
    /// <param name="scores">[places, vocabulary].</param>
    /// <param name="labels">[places], int64.</param>
    public static TokenPredictions Of(Tensor scores, Tensor labels)
    {
        using var scope = NewDisposeScope();
        Tensor log = F.log_softmax(scores, -1);
        // A score of -∞ has probability 0 and adds nothing; 0 · ∞ would be NaN.
        Tensor entropy = -(log.exp() * log).nan_to_num(0);
        return new TokenPredictions(
            -log.gather(-1, labels.unsqueeze(-1)).sum(ScalarType.Float64).item<double>(), entropy.sum(ScalarType.Float64).item<double>(), scores.argmax(-1).eq(labels).sum().item<long>());
    }
}
