namespace LlmOps.Lifecycle.Registry;

public sealed class ModelTag
{
    public Guid ModelId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; set; }
}

public sealed class VersionTag
{
    public Guid VersionId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; set; }
}
