using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Reference;
using LlmOps.Training;

namespace LlmOps.Worker;

/// <summary>Computes a checkpoint as it is: with what trained it where that can be, otherwise by the published formulas.</summary>
public static class CheckpointModel
{
    public static ICausalModel Load(string folder) => ModelConfig.Read(folder).IsPlainLlama ? TorchCausalModel.Load(folder) : ReferenceDecoder.Load(folder);
}
