namespace LlmOps.Lifecycle.Evaluation;

/// <summary>A model that judges answers, with its prompt and rubric. Never changed: another prompt is another version.</summary>
public sealed class Judge
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public int Number { get; init; }
    public required string DefinitionJson { get; init; }
    public required string Digest { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>How far a judge agrees with people on labelled rows.</summary>
public sealed class JudgeCalibration
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid JudgeId { get; init; }
    public required string Dataset { get; init; }
    public required string ReportJson { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset At { get; init; }
}

/// <summary>Which rows of an evaluation set are in a training set. Both are frozen, so it is computed once for each pair of digests.</summary>
public sealed class ContaminationReport
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string EvaluationDatasetDigest { get; init; }
    public required string TrainingDatasetDigest { get; init; }
    public required string EvaluationDataset { get; init; }
    public required string TrainingDataset { get; init; }
    public int Rows { get; init; }
    public int ExactRows { get; init; }
    public int NearRows { get; init; }
    public required string ReportJson { get; init; }
    public DateTimeOffset At { get; init; }
}
