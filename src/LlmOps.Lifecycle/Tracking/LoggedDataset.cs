namespace LlmOps.Lifecycle.Tracking;

/// <summary>Data that a run says it has read: a name, a digest and where it lies. It need not be a dataset of this registry.</summary>
public sealed class LoggedDataset
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ExperimentId { get; init; }
    public required string Name { get; init; }
    public required string Digest { get; init; }
    public required string SourceType { get; init; }
    public required string Source { get; init; }
    public string? Schema { get; init; }
    public string? Profile { get; init; }
}

/// <summary>A run has read a dataset.</summary>
public sealed class RunDataset
{
    public const string ContextTag = "mlflow.data.context";

    public Guid RunId { get; init; }
    public Guid DatasetId { get; init; }
    public LoggedDataset? Dataset { get; init; }
    /// <summary>What it was read for ("training", "eval"): the tag <see cref="ContextTag"/>.</summary>
    public string? Context { get; set; }
    /// <summary>All its tags, JSON.</summary>
    public string TagsJson { get; set; } = "[]";
}
