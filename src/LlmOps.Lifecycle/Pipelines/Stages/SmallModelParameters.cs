namespace LlmOps.Lifecycle.Pipelines.Stages;

public sealed record MakeSamplesParameters : StageParameters
{
    [Field("What to draw: glyphs (pictures of the ten figures, 16 × 16), two-moons (two half circles of points) or plane (a linear target of four numbers).", Allowed = ["glyphs", "two-moons", "plane"], Required = true)]
    public string Recipe { get; init; } = "glyphs";
    [Field("Name of the dataset that is made.", Required = true)]
    public string Name { get; init; } = "";
    [Field("Rows, about a tenth of which are held out.", Unit = "rows", Min = 50, Max = 100_000)]
    public int Rows { get; init; } = 2000;
    [Field("Standard deviation of the noise on points and targets, or on pixels as a share of white.", Min = 0, Max = 10)]
    public double Noise { get; init; } = 0.2;
    [Field("The same seed makes the same rows.", Min = 0, Max = int.MaxValue)]
    public int Seed { get; init; } = 7;
}

public sealed record TrainClassifierParameters : TrainingParameters
{
    public TrainClassifierParameters() => (LearningRate, Epochs, BatchSize, WeightDecay, HeldOutExamples) = (2e-3, 5, 64, 0.01, 500);

    [Field("Dataset of labelled pictures of one size.", Required = true, Reference = true)]
    public string Samples { get; init; } = "";
    [Field("Registered model that gets the new version.", Required = true)]
    public string Model { get; init; } = "";
    [Field("Output channels of the first convolution.", Min = 1, Max = 1024)]
    public int FirstFilters { get; init; } = 16;
    [Field("Output channels of the second convolution.", Min = 1, Max = 1024)]
    public int SecondFilters { get; init; } = 32;
    [Field("Width of the dense layer.", Min = 1, Max = 65536)]
    public int HiddenSize { get; init; } = 64;
    [Field("Share of the target that is spread over all labels alike.", Min = 0, Max = 0.9)]
    public double LabelSmoothing { get; init; }
    [Field("Pixels by which each training picture is moved at random; 0 leaves them where they are.", Unit = "pixels", Min = 0, Max = 16)]
    public int Shift { get; init; }
}
