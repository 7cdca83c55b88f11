namespace LlmOps.Lifecycle.Pipelines.Stages;

/// <summary>What alignment, reward models and distillation take beside what every training takes.</summary>
public abstract record ContinuedParameters : TrainingParameters
{
    [Field("All weights, or LoRA adapters merged at the end.", Allowed = ["full", "lora"])]
    public string Method { get; init; } = "full";
    [Field("Rank of the adapters.", Min = 1, Max = 512)]
    public int LoraRank { get; init; } = 16;
    [Field("Scale of the adapters: alpha ÷ rank.", Min = 1, Max = 1024)]
    public int LoraAlpha { get; init; } = 32;
    [Field("What to do with training rows that are, word by word or nearly, among the held-out ones: say so, do not train, or leave them out.", Allowed = ["warn", "refuse", "drop"])]
    public string Leakage { get; init; } = "warn";
}
