namespace LlmOps.Lifecycle.Tracking;

public sealed class RunTag
{
    public Guid RunId { get; init; }
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
