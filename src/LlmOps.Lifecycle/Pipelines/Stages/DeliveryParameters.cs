namespace LlmOps.Lifecycle.Pipelines.Stages;

public sealed record ExportOnnxParameters : StageParameters
{
    [Field("Version to export.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Prompts whose greedy continuation must be the same in both engines.", Min = 1, Max = 64)]
    public int GreedyPrompts { get; init; } = 8;
    [Field("Length of each greedy continuation.", Unit = "tokens", Min = 1, Max = 512)]
    public int GreedyTokens { get; init; } = 64;
    [Field("contrib: ONNX Runtime's fused operators, the fastest; portable: standard operators that any runtime computes.", Allowed = ["contrib", "portable"])]
    public string Form { get; init; } = "contrib";
}

public sealed record OptimizeGraphParameters : StageParameters
{
    [Field("Version whose variant is optimised.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Variant to start from.")]
    public string Variant { get; init; } = "fp32";
    [Field("ONNX Runtime's optimisation level.", Allowed = ["Basic", "Extended", "Layout", "All"])]
    public string Level { get; init; } = "Extended";
    [Field("Fresh processes for each start-up measurement.", Min = 2, Max = 50)]
    public int Repeats { get; init; } = 5;
}

public sealed record EvaluateParameters : StageParameters
{
    [Field("Version to measure.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Variants to measure: names, \"all\", or \"checkpoint\" to run the checkpoint in the training framework.")]
    public IReadOnlyList<string> Variants { get; init; } = ["all"];
    [Field("Suite name; runs of one suite can be compared.")]
    public string Suite { get; init; } = "quickstart";
    [Field("Corpus whose held-out texts give bits per byte; empty for none.", Reference = true)]
    public string Corpus { get; init; } = "";
    [Field("Instruction pairs whose held-out rows give bits per byte of definitions and exact match; empty for none.", Reference = true)]
    public string Instructions { get; init; } = "";
    [Field("Preference pairs whose held-out rows give preference accuracy; empty for none.", Reference = true)]
    public string Preferences { get; init; } = "";
    [Field("For a small model: pictures or rows of a table whose held-out part is measured; empty for none.", Reference = true)]
    public string Samples { get; init; } = "";
    [Field("Most rows of each task.", Unit = "rows", Min = 10, Max = 1_000_000)]
    public int MaxRows { get; init; } = 400;
    [Field("Fresh processes that measure latency, speed and memory of each variant; 0 for none.", Min = 0, Max = 50)]
    public int ProbeRepeats { get; init; } = 3;
    [Field("Resamples of the bootstrap behind each confidence interval.", Min = 200, Max = 100_000)]
    public int BootstrapResamples { get; init; } = 5000;
}

public sealed record EvaluateSuiteParameters : StageParameters
{
    [Field("Version to measure.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Suite version to run, name/number.", Required = true, Reference = true)]
    public string Suite { get; init; } = "";
    [Field("Variants to measure: names, \"all\", or \"checkpoint\" to run the checkpoint in the training framework.")]
    public IReadOnlyList<string> Variants { get; init; } = ["all"];
    [Field("How often the suite is run; the differences between the repeats are its noise floor.", Min = 1, Max = 20)]
    public int Repeats { get; init; } = 1;
    [Field("Resamples of the bootstrap behind each confidence interval.", Min = 200, Max = 100_000)]
    public int BootstrapResamples { get; init; } = 5000;
}

public sealed record GateParameters : StageParameters
{
    [Field("Version under test.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Suite whose newest runs are judged.")]
    public string Suite { get; init; } = "quickstart";
    [Field("What the candidate is compared with: an alias, or a version and variant, name/number:variant.")]
    public string Champion { get; init; } = "production";
    [Field("Gate policy, name/number; or give rules instead.")]
    public string Policy { get; init; } = "";
    [Field("Rules, one in each line: \"preference.accuracy >= 0.6\", or \"definitions.bits_per_byte no-worse-than champion by 0.05\", or \"parity passed\"; or name a policy instead.")]
    public IReadOnlyList<string> Rules { get; init; } = [];
    [Field("Which of the passing variants goes on.", Allowed = ["smallest", "fastest", "best-quality"])]
    public string Choose { get; init; } = "smallest";
    [Field("Metric that decides \"best-quality\".")]
    public string QualityMetric { get; init; } = "definitions.bits_per_byte";

    public override IEnumerable<FieldProblem> Problems()
    {
        if (Policy.Length == 0 && Rules.Count == 0)
            yield return new("rules", "a gate judges by rules or by a policy. Give one of them: without any it would let everything through.");
        if (Policy.Length > 0 && Rules.Count > 0)
            yield return new("policy", "give a policy or rules, not both.");
    }
}

public sealed record CheckContaminationParameters : StageParameters
{
    [Field("Evaluation runs whose rows are looked for in the training data of their versions: the output \"runs\" of an evaluate stage, or ids separated by commas.", Reference = true)]
    public string Runs { get; init; } = "";
    [Field("In place of runs: a dataset version whose held-out rows are looked for.", Reference = true)]
    public string Dataset { get; init; } = "";
    [Field("In place of runs: a suite version whose rows are looked for.", Reference = true)]
    public string Suite { get; init; } = "";
    [Field("With a dataset or a suite: the model version whose training data, ancestors included, is looked through; empty for all that any version was trained on.", Reference = true)]
    public string Version { get; init; } = "";

    public override IEnumerable<FieldProblem> Problems()
    {
        if (new[] { Runs, Dataset, Suite }.Count(v => v.Length > 0) != 1)
            yield return new("runs", "give runs, a dataset or a suite, one of the three.");
        else if (Runs.Length > 0 && Version.Length > 0)
            yield return new("version", "runs have a version of their own: leave it out.");
    }
}

public sealed record CalibrateJudgeParameters : StageParameters
{
    [Field("Judge version, \"name/number\".", Required = true)]
    public string Judge { get; init; } = "";
    [Field("Preference dataset version whose held-out rows say which answer people chose.", Required = true, Reference = true)]
    public string Preferences { get; init; } = "";
    [Field("Most rows: those with the smallest keys, the same ones every time. 0 is all.", Min = 0)]
    public int MaxRows { get; init; } = 200;
    [Field("For a judge that gives scores: the score from which an answer counts as good; 0 is the middle of its scale.", Min = 0)]
    public double AtLeast { get; init; }
}

public sealed record CompareRunsParameters : StageParameters
{
    [Field("Evaluation run that is judged.", Required = true, Reference = true)]
    public string Candidate { get; init; } = "";
    [Field("Evaluation run it is compared with: the champion of the rules; empty where only absolute rules decide.", Reference = true)]
    public string Baseline { get; init; } = "";
    [Field("Rules as of a gate, one in each line.")]
    public IReadOnlyList<string> Rules { get; init; } = [];
    [Field("Gate policy in place of rules, as name or name/number.")]
    public string Policy { get; init; } = "";

    public override IEnumerable<FieldProblem> Problems()
    {
        if (Rules.Count == 0 == (Policy.Length == 0))
            yield return new("rules", "give rules or a policy, one of the two.");
    }
}

public sealed record ApproveParameters : StageParameters
{
    [Field("Version to promote.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Variant to promote.", Required = true, Reference = true)]
    public string Variant { get; init; } = "";
    [Field("Alias that moves when a second person approves.")]
    public string Alias { get; init; } = "production";
    [Field("Days until the request expires.", Unit = "days", Min = 1, Max = 90)]
    public int ExpiresInDays { get; init; } = 14;
}

public sealed record BuildIndexParameters : StageParameters
{
    [Field("Knowledge base that gets the new index.", Required = true)]
    public string KnowledgeBase { get; init; } = "";
    [Field("Folder of Markdown documents, relative to the pipeline's own folder; \"product-docs\" for the product's own documentation.", Required = true)]
    public string Source { get; init; } = "";
    [Field("Version whose token embeddings make the vectors.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Longest chunk.", Unit = "words", Min = 20, Max = 1000)]
    public int ChunkWords { get; init; } = 160;
}

public sealed record DeployParameters : StageParameters
{
    [Field("Deployment name.", Required = true)]
    public string Name { get; init; } = "";
    [Field("What it serves.", Allowed = ["chat", "rag"], Required = true)]
    public string Type { get; init; } = "chat";
    [Field("Version to serve.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Variant to serve.", Required = true, Reference = true)]
    public string Variant { get; init; } = "";
    [Field("Index to search, for rag.", Reference = true)]
    public string Index { get; init; } = "";

    public override IEnumerable<FieldProblem> Problems()
    {
        if (Type == "rag" && Index.Length == 0)
            yield return new("index", "a rag deployment searches an index. Name one, for example ${build-index.index}.");
    }
}
