namespace LlmOps.Lifecycle.Pipelines.Stages;

public sealed record TrainAutoencoderParameters : TrainingParameters
{
    public TrainAutoencoderParameters() => (LearningRate, Epochs, BatchSize, HeldOutExamples) = (2e-3, 30, 64, 200);

    [Field("Dataset of square pictures of one size.", Required = true, Reference = true)]
    public string Samples { get; init; } = "";
    [Field("Registered model that gets the new version.", Required = true)]
    public string Model { get; init; } = "";
    [Field("Whether the code is a Gaussian (a variational autoencoder, which can draw new pictures) or a point.")]
    public bool Variational { get; init; }
    [Field("Numbers in the code.", Min = 1, Max = 4096)]
    public int Latent { get; init; } = 8;
    [Field("Convolutions or fully connected layers.", Allowed = ["convolutional", "dense"])]
    public string Network { get; init; } = "convolutional";
    [Field("Channels of the first convolution, or neurons of the first dense layer.", Min = 2, Max = 4096)]
    public int Width { get; init; } = 16;
    [Field("How picture and reconstruction are compared: cross-entropy of each pixel, or squared error.", Allowed = ["bernoulli", "squared-error"])]
    public string Reconstruction { get; init; } = "bernoulli";
    [Field("Weight of the code's divergence from its prior; 1 is the evidence bound. Only for variational.", Min = 0, Max = 999)]
    public double Beta { get; init; } = 1;
    [Field("Share of the run in which that weight rises from 0.", Min = 0, Max = 0.99)]
    public double BetaWarmup { get; init; } = 0.2;
}

public sealed record TrainDiffusionParameters : TrainingParameters
{
    public TrainDiffusionParameters() => (LearningRate, Epochs, BatchSize, EmaDecay, HeldOutExamples) = (2e-3, 20, 64, 0.99, 200);

    [Field("Dataset of square pictures of one size.", Required = true, Reference = true)]
    public string Samples { get; init; } = "";
    [Field("Registered model that gets the new version.", Required = true)]
    public string Model { get; init; } = "";
    [Field("A U-Net of convolutions, or fully connected layers.", Allowed = ["u-net", "dense"])]
    public string Network { get; init; } = "u-net";
    [Field("Channels at full resolution, a multiple of 8, or neurons of a dense layer.", Min = 1, Max = 4096)]
    public int Width { get; init; } = 16;
    [Field("Steps from picture to noise.", Unit = "steps", Min = 25, Max = 10_000)]
    public int Timesteps { get; init; } = 200;
    [Field("How the noise grows over the steps.", Allowed = ["cosine", "linear"])]
    public string Noise { get; init; } = "cosine";
    [Field("Steps of the sampler that draws pictures while training.", Unit = "steps", Min = 1, Max = 10_000)]
    public int PreviewSteps { get; init; } = 25;

    public override IEnumerable<FieldProblem> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (Network == "u-net" && Width % 8 != 0)
            yield return new("width", $"{Width} is no multiple of 8, which the U-Net's group norms need.");
        if (PreviewSteps > Timesteps)
            yield return new("preview_steps", $"{PreviewSteps} is more than the {Timesteps} timesteps.");
    }
}
