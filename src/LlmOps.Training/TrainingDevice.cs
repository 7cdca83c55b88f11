using System.Text.Json.Serialization;

namespace LlmOps.Training;

/// <summary>Where a language model's tensors lie while it trains. Small models always train on the processor.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TrainingDevice>))]
public enum TrainingDevice
{
    /// <summary>The processor. Equal options, seed and threads give equal weights, to the bit.</summary>
    Cpu,
    /// <summary>The first NVIDIA GPU, by a libtorch built for CUDA (<see cref="TorchRuntime.LibtorchFolder"/>). Sums in its kernels have no fixed order: runs agree up to rounding.</summary>
    Cuda,
}
