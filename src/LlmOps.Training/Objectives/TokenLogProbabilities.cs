using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.Objectives;

/// <summary>Log-probabilities of the labelled tokens: log p_t = logit[label] - logsumexp(logits), in float32.</summary>
public static class TokenLogProbabilities
{
    // Below 64 MiB of scores one product is faster than several; a chunk of 16 MiB stays near the caches.
    private const long ManyScores = 1 << 24;
    private const long ChunkScores = 1 << 22;

    /// <summary>Natural log-probability of each scored token [scored]. The output head runs on scored places only.</summary>
    public static Tensor Of(CausalLanguageModel model, TokenBatch batch)
    {
        Tensor hidden = model.Hidden(batch);
        if (batch.ScoredAt.Length < batch.Ids.Length) hidden = hidden.index_select(0, model.Place(batch.ScoredAt));
        Tensor labels = model.Place(batch.Labels);
        if (model.PlainHead is { } head && hidden.shape[0] * head.shape[0] > ManyScores)
            return -ChunkedCrossEntropy.Of(hidden, head, labels, (int)Math.Max(1, ChunkScores / head.shape[0]));
        return -F.cross_entropy(model.Logits(hidden), labels, reduction: nn.Reduction.None);
    }

    /// <summary>Sum over the scored tokens of each row [rows]: log p(completion | prompt).</summary>
    public static Tensor PerRow(CausalLanguageModel model, TokenBatch batch)
        => zeros(batch.Rows, device: model.Device).index_add(0, model.Place(batch.ScoredRow), Of(model, batch), 1);
}
