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
    [Field("Degrees by which each training picture is turned at random, to either side; 0 leaves them as they are.", Unit = "degrees", Min = 0, Max = 180)]
    public double Rotation { get; init; }
    [Field("What is exchanged in half of the training pictures: nothing, left and right, top and bottom, or either.", Allowed = ["none", "sideways", "upside-down", "both"])]
    public string Flip { get; init; } = "none";
}

public sealed record TrainLstmParameters : TrainingParameters
{
    public TrainLstmParameters() => (LearningRate, Epochs, BatchSize) = (5e-3, 2, 64);

    [Field("Corpus to train on.", Required = true, Reference = true)]
    public string Corpus { get; init; } = "";
    [Field("Tokenizer artifact.", Required = true, Reference = true)]
    public string Tokenizer { get; init; } = "";
    [Field("Registered model that gets the new version.", Required = true)]
    public string Model { get; init; } = "";
    [Field("Width of a token's vector.", Min = 1, Max = 4096)]
    public int EmbeddingSize { get; init; } = 128;
    [Field("Cells of each layer.", Min = 1, Max = 4096)]
    public int HiddenSize { get; init; } = 192;
    [Field("Layers, one above the other.", Min = 1, Max = 16)]
    public int Layers { get; init; } = 1;
    [Field("The head reads the embedding's own matrix.")]
    public bool TieEmbeddings { get; init; }
    [Field("Longer texts are cut.", Unit = "tokens", Min = 4, Max = 1024)]
    public int ContextLength { get; init; } = 64;
    [Field("Randomness of the texts that are shown while it trains; 0 always takes the likeliest token.", Min = 0, Max = 5)]
    public double Temperature { get; init; } = 0.7;

    public override IEnumerable<FieldProblem> Problems() => TieEmbeddings && EmbeddingSize != HiddenSize
        ? [.. base.Problems(), new("tie_embeddings", $"a tied head reads the embedding, so embedding_size ({EmbeddingSize}) and hidden_size ({HiddenSize}) must be equal.")]
        : base.Problems();
}

public sealed record TrainBaselineParameters : StageParameters
{
    [Field("Dataset of rows of numbers with a target: a number for a regression, a label for a support vector machine.", Required = true, Reference = true)]
    public string Samples { get; init; } = "";
    [Field("Registered model that gets the new version.", Required = true)]
    public string Model { get; init; } = "";
    [Field("linear-regression, or kernel-svm: a support vector machine with a Gaussian kernel, approximated by random features.", Allowed = ["linear-regression", "kernel-svm"], Required = true)]
    public string Method { get; init; } = "linear-regression";
    [Field("L2 penalty.", Min = 1e-7, Max = 1000)]
    public double L2 { get; init; } = 1e-3;
    [Field("Upper limit of passes over the rows.", Min = 1, Max = 100_000)]
    public int Iterations { get; init; } = 100;
    [Field("kernel-svm: γ of the kernel exp(−γ ‖x − y‖²) on standardised features; 0 takes 1 ÷ features.", Min = 0, Max = 1000)]
    public double Gamma { get; init; }
    [Field("kernel-svm: random features that approximate the kernel.", Min = 1, Max = 65536)]
    public int RandomFeatures { get; init; } = 300;
    [Field("Seed of random features and order.", Min = 0, Max = int.MaxValue)]
    public int Seed { get; init; } = 42;
}
