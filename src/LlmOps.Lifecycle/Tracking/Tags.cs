namespace LlmOps.Lifecycle.Tracking;

public sealed class RunTag
{
    public Guid RunId { get; init; }
    /// <summary>This and the next are those of its run; see <see cref="Param.ExperimentId"/>.</summary>
    public required Guid ExperimentId { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public required string Key { get; init; }
    public required string Value { get; set; }
    /// <summary>What the index holds of the value; see <see cref="IndexedText"/>.</summary>
    public string Head { get => IndexedText.Head(Value); private set { } }
}

public sealed class ExperimentTag
{
    public Guid ExperimentId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; set; }
}
