namespace LlmOps.Lifecycle.Datasets;

/// <summary>
/// Questions with what is expected of the answers, collected row by row, as clients of the MLflow API keep them. Unlike a <see cref="Dataset"/> it changes; what is measured
/// on is frozen from it.
/// </summary>
public sealed class EvaluationDataset
{
    public const string IdStart = "d-";
    public const int LongestName = 500, LongestTagKey = 250, LongestTagValue = 5000;

    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public string? SourceType { get; init; }
    public string? Source { get; init; }
    public string? Schema { get; init; }
    public string? Profile { get; set; }
    /// <summary>Changes with the records.</summary>
    public required string Digest { get; set; }
    public required string CreatedBy { get; init; }
    public required string UpdatedBy { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset UpdatedAt { get; set; }
    public List<EvaluationDatasetTag> Tags { get; init; } = [];
    public List<EvaluationDatasetExperiment> Experiments { get; init; } = [];
}

public sealed class EvaluationDatasetTag
{
    public Guid DatasetId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; set; }
}

public sealed class EvaluationDatasetExperiment
{
    public Guid DatasetId { get; init; }
    public Guid ExperimentId { get; init; }
}

/// <summary>One row. Two rows with the same inputs are one.</summary>
public sealed class EvaluationRecord
{
    public const string IdStart = "dr-";

    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid DatasetId { get; init; }
    /// <summary>Of the inputs in a form in which the order of names does not count, hexadecimal.</summary>
    public required string InputsDigest { get; init; }
    public required string InputsJson { get; init; }
    public string? OutputsJson { get; set; }
    public string? ExpectationsJson { get; set; }
    public string TagsJson { get; set; } = "{}";
    /// <summary>"TRACE", "HUMAN", "DOCUMENT", "CODE" or null.</summary>
    public string? SourceType { get; set; }
    public string? SourceId { get; set; }
    public string? SourceJson { get; set; }
    public required string CreatedBy { get; init; }
    public required string UpdatedBy { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset UpdatedAt { get; set; }
}
