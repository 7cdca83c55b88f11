using LlmOps.Engines.Checkpoints;

namespace LlmOps.Training.Batching;

/// <summary>How many tokens go through the model at once; a step with more accumulates gradients over parts.</summary>
internal static class MicroBatch
{
    // Activations of 2048 tokens of a small model stay near the caches; larger parts were not faster. Scores over a large vocabulary dominate memory, so
    // they bound the part as well: 64 M values are 256 MiB, and the backward pass holds about three such tensors.
    private const int SmallModelTokens = 2048;
    private const int MaxScores = 64_000_000;

    public static int Tokens(ModelConfig config) => Math.Clamp(MaxScores / config.VocabSize, 1, SmallModelTokens);
}
