namespace LlmOps.Lifecycle.Pipelines.Stages;

public sealed record DistillParameters : ContinuedParameters
{
    public DistillParameters() => (LearningRate, Epochs) = (1e-3, 2);

    [Field("Version that learns; its next version is the result.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Version that teaches: larger, with the same tokenizer.", Required = true, Reference = true)]
    public string Teacher { get; init; } = "";
    [Field("Corpus whose texts are predicted; this or instructions.", Reference = true)]
    public string Corpus { get; init; } = "";
    [Field("Prompt and completion pairs whose completions are predicted; this or corpus.", Reference = true)]
    public string Instructions { get; init; } = "";
    [Field("Both predictions are softened by it (T).", Min = 0.1, Max = 100)]
    public double Temperature { get; init; } = 2;
    [Field("Share of the teacher in the loss; the rest is the text's own.", Min = 0, Max = 1)]
    public double TeacherShare { get; init; } = 0.5;

    public override IEnumerable<FieldProblem> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (Corpus.Length == 0 == (Instructions.Length == 0))
            yield return new("corpus", "name either a corpus or instructions to distil on.");
        if (Version == Teacher && Version.Length > 0)
            yield return new("teacher", "a version cannot teach itself: name a larger one.");
    }
}
