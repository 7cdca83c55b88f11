namespace LlmOps.Lifecycle.Pipelines.Stages;

/// <summary>What every training takes: how long, how fast, how careful. A kind sets its own defaults in its constructor.</summary>
public abstract record TrainingParameters : StageParameters
{
    [Field("Peak learning rate.", Min = 1e-8, Max = 10)]
    public double LearningRate { get; init; } = 1e-3;
    [Field("Passes over the examples.", Min = 1, Max = 1000)]
    public int Epochs { get; init; } = 1;
    [Field("Upper limit on optimizer steps; 0 is no limit.", Unit = "steps", Min = 0, Max = 10_000_000)]
    public int MaxSteps { get; init; }
    [Field("Examples in an optimizer step.", Min = 1, Max = 4096)]
    public int BatchSize { get; init; } = 16;
    [Field("Examples in a forward pass; gradients of a step are accumulated over its passes. 0 takes as many as fit the caches.", Min = 0, Max = 4096)]
    public int MicroBatch { get; init; }
    [Field("Update rule.", Allowed = ["adamw", "adam", "sgd", "rmsprop", "adafactor", "lion"])]
    public string Optimizer { get; init; } = "adamw";
    [Field("Momentum of sgd and rmsprop.", Min = 0, Max = 0.9999)]
    public double Momentum { get; init; }
    [Field("Nesterov's form of sgd's momentum.")]
    public bool Nesterov { get; init; }
    [Field("Weight decay of matrices: decoupled with adamw, adafactor and lion, an L2 penalty otherwise.", Min = 0, Max = 0.9999)]
    public double WeightDecay { get; init; }
    [Field("L1 penalty of matrices.", Min = 0, Max = 1)]
    public double L1 { get; init; }
    [Field("Shape of the learning rate after its warm-up.", Allowed = ["cosine", "linear", "constant", "wsd", "inverse-sqrt", "polynomial", "cosine-restarts", "plateau"])]
    public string Schedule { get; init; } = "cosine";
    [Field("Share of the run with rising learning rate.", Min = 0, Max = 0.99)]
    public double WarmupFraction { get; init; } = 0.05;
    [Field("Learning rate at the end as a share of the peak.", Min = 0, Max = 1)]
    public double FinalFraction { get; init; } = 0.05;
    [Field("Gradients are scaled down to this norm.", Min = 1e-6, Max = 1e6)]
    public double MaxGradientNorm { get; init; } = 1;
    [Field("Decay of an average of the weights that is evaluated and saved instead of them; 0 for none.", Min = 0, Max = 0.99999)]
    public double EmaDecay { get; init; }
    [Field("Steps between evaluations on held-out rows; 0 for ten in a run.", Unit = "steps", Min = 0, Max = 10_000_000)]
    public int EvaluateEvery { get; init; }
    [Field("Held-out rows of each evaluation; 0 for all.", Min = 0, Max = 1_000_000)]
    public int HeldOutExamples { get; init; } = 128;
    [Field("Evaluations without a lower held-out loss before the training stops and takes its best weights; 0 never stops early.", Min = 0, Max = 1000)]
    public int Patience { get; init; }
    [Field("Steps between samples of what the model makes; 0 for one at the end.", Unit = "steps", Min = 0, Max = 10_000_000)]
    public int SampleEvery { get; init; }
    [Field("Steps between checkpoints.", Unit = "steps", Min = 1, Max = 10_000_000)]
    public int CheckpointEvery { get; init; } = 100;
    [Field("Checkpoints kept beside the best one.", Min = 1, Max = 100)]
    public int KeepCheckpoints { get; init; } = 2;
    [Field("Checkpoint of an earlier run to go on from, by its id; empty to start anew. Model and optimizer must be the same.")]
    public string ResumeFrom { get; init; } = "";
    [Field("Where a language model trains; cuda needs a worker with a GPU and a libtorch for it (Worker__LibtorchFolder).", Allowed = ["cpu", "cuda"])]
    public string Device { get; init; } = "cpu";
    [Field("Number format of a language model's matrix products; bfloat16 is faster and needs a processor with AVX512-BF16 or a GPU, float16 a GPU.", Allowed = ["float32", "bfloat16", "float16"])]
    public string Precision { get; init; } = "float32";
    [Field("Keep only each layer's input of a language model and compute the rest again in the backward pass: less memory, about a third more time.")]
    public bool RecomputeActivations { get; init; }
    [Field("Seed of initialisation and order.", Min = 0, Max = int.MaxValue)]
    public int Seed { get; init; } = 42;

    public override IEnumerable<FieldProblem> Problems()
    {
        if (Schedule == "inverse-sqrt" && WarmupFraction == 0)
            yield return new("warmup_fraction", "inverse-sqrt needs a warm-up: its end is where the learning rate is at its peak.");
        if (Nesterov && (Optimizer != "sgd" || Momentum == 0))
            yield return new("nesterov", "It is a form of sgd's momentum: set optimizer to sgd and momentum above 0.");
        if (ResumeFrom.Length > 0 && !Guid.TryParse(ResumeFrom, out _))
            yield return new("resume_from", $"'{ResumeFrom}' is not the id of a checkpoint. The page of the run that made it lists them.");
        if (Precision == "float16" && Device != "cuda")
            yield return new("precision", "float16 is for the device cuda. On a processor choose float32, or bfloat16 where it has AVX512-BF16.");
        if (Device == "cuda" && Optimizer == "adafactor")
            yield return new("optimizer", "adafactor works on the processor only. Choose adamw, adam, sgd, rmsprop or lion with the device cuda.");
        if (MicroBatch > BatchSize)
            yield return new("micro_batch", $"{MicroBatch} is more than the batch_size of {BatchSize}.");
    }
}
