using LlmOps.Engines;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Reference;
using LlmOps.Training;

namespace LlmOps.Worker;

/// <summary>Computes a checkpoint as it is: with the framework that trains such models, or where that cannot, slowly by the published formulas.</summary>
public static class CheckpointModel
{
    public static ICausalModel Load(string folder)
    {
        try
        {
            return TorchCausalModel.Load(folder);
        }
        catch (Exception e) when (e is UnsupportedModelException or PlatformNotSupportedException)
        {
            return ReferenceDecoder.Load(folder);
        }
    }
}
