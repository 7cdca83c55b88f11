namespace LlmOps.Lifecycle.Pipelines.Stages;

public sealed record AlignParameters : ContinuedParameters
{
    private static readonly string[] Smoothed = ["cdpo", "robust"], WithLikelihood = ["orpo", "cpo"];

    public AlignParameters() => (LearningRate, WarmupFraction) = (3e-4, 0.1);

    [Field("Version to start from.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Preference pairs.", Required = true, Reference = true)]
    public string Preferences { get; init; } = "";
    [Field("What is made of a pair: DPO (sigmoid) and its relatives compare with the starting version; orpo, cpo and simpo need no reference.",
        Allowed = ["sigmoid", "cdpo", "hinge", "ipo", "robust", "apo-zero", "sppo-hard", "sigmoid-norm", "orpo", "cpo", "simpo"])]
    public string Objective { get; init; } = "sigmoid";
    [Field("Strength of the pull towards the reference model (DPO's β); the weight of the odds ratio for orpo.", Min = 0.001, Max = 100)]
    public double Beta { get; init; } = 0.1;
    [Field("Share of pairs whose answers are taken to be the wrong way round (ε); for cdpo and robust.", Min = 0, Max = 0.499)]
    public double LabelSmoothing { get; init; }
    [Field("Weight of the chosen answers' own loss, added to the objective; 0 for none. orpo and cpo have this term already.", Min = 0, Max = 100)]
    public double SftWeight { get; init; }
    [Field("Weight of the chosen answers' own loss inside cpo.", Min = 0, Max = 100)]
    public double CpoAlpha { get; init; } = 1;
    [Field("Margin that simpo asks for, in units of the reward (γ).", Min = 0, Max = 100)]
    public double SimpoGamma { get; init; } = 0.5;
    [Field("Keep the reference's log-probabilities, so that another training on the same pairs and version needs no reference pass.")]
    public bool ReferenceCache { get; init; } = true;

    public override IEnumerable<FieldProblem> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (LabelSmoothing > 0 && !Smoothed.Contains(Objective))
            yield return new("label_smoothing", $"{Objective} does not know wrong labels; use cdpo or robust, or set label_smoothing to 0.");
        if (SftWeight > 0 && WithLikelihood.Contains(Objective))
            yield return new("sft_weight", $"{Objective} has a likelihood term of its own; set sft_weight to 0{(Objective == "cpo" ? " and use cpo_alpha" : "")}.");
    }
}

public sealed record AlignUnpairedParameters : ContinuedParameters
{
    public AlignUnpairedParameters() => (LearningRate, WarmupFraction) = (3e-4, 0.1);

    [Field("Version to start from.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Answers marked desirable or not, or preference pairs: both answers of a pair then count by themselves.", Required = true, Reference = true)]
    public string Answers { get; init; } = "";
    [Field("Strength of the pull towards the reference model (β).", Min = 0.001, Max = 100)]
    public double Beta { get; init; } = 0.1;
    [Field("Weight of desirable answers.", Min = 0.001, Max = 1000)]
    public double LambdaDesirable { get; init; } = 1;
    [Field("Weight of undesirable answers.", Min = 0.001, Max = 1000)]
    public double LambdaUndesirable { get; init; } = 1;
    [Field("Keep the reference's log-probabilities, so that another training on the same answers and version needs no reference pass.")]
    public bool ReferenceCache { get; init; } = true;

    public override IEnumerable<FieldProblem> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (BatchSize < 2)
            yield return new("batch_size", "the divergence from the reference is estimated over a batch; at least 2 answers are needed.");
    }
}
