namespace LlmOps.Lifecycle.Pipelines.Stages;

public sealed record TrainRewardParameters : ContinuedParameters
{
    public TrainRewardParameters() => (LearningRate, WarmupFraction) = (3e-4, 0.1);

    [Field("Version whose weights the reward model starts from.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Preference pairs.", Required = true, Reference = true)]
    public string Preferences { get; init; } = "";
    [Field("Registered model that gets the reward model as its next version; a reward model is no version of a language model.", Required = true)]
    public string Model { get; init; } = "";
    [Field("By how much the chosen answer's reward should be greater; 0 asks for any difference.", Min = 0, Max = 100)]
    public double Margin { get; init; }
    [Field("Pull of the mean reward towards zero; 0 for none.", Min = 0, Max = 100)]
    public double CentreCoefficient { get; init; }
}
