using LlmOps.Training.Architectures;
using TorchSharp;

namespace LlmOps.Training.Batching;

/// <summary>How many tokens go through the model at once; a step with more accumulates gradients over parts.</summary>
internal static class MicroBatch
{
    // Activations of 2048 tokens of a small model stay near the caches; larger parts were not faster. Scores over a large vocabulary dominate memory, so
    // they bound the part as well: 64 M values are 256 MiB, and the backward pass holds about three such tensors.
    private const int SmallModelTokens = 2048;
    private const int MaxScores = 64_000_000;

    // A GPU needs more at once to be busy, and its memory holds more.
    private const int DeviceTokens = 32_768;
    private const int DeviceScores = 512_000_000;

    public static int Tokens(CausalLanguageModel model) => model.Device.type == DeviceType.CPU
        ? Math.Clamp(MaxScores / model.Config.VocabSize, 1, SmallModelTokens)
        : Math.Clamp(DeviceScores / model.Config.VocabSize, 1, DeviceTokens);
}
