using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>What a client of the MLflow API said of a trace beside its spans. A trace that only sent spans has no such row, and belongs to the default experiment.</summary>
public sealed class LoggedTrace
{
    public const int LongestClientId = 250, LongestPreview = 10_000;

    /// <summary>32 hexadecimal digits, as in <see cref="Span.TraceId"/>.</summary>
    public required string TraceId { get; init; }
    public Guid ExperimentId { get; set; }
    /// <summary>"OK", "ERROR" or "IN_PROGRESS"; null where the spans say it.</summary>
    public string? State { get; set; }
    public string? ClientRequestId { get; set; }
    public string? RequestPreview { get; set; }
    public string? ResponsePreview { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A tag or a piece of metadata of a trace. The API knows both, and metadata never changes after the trace has ended.</summary>
public sealed class TraceTag
{
    public const int LongestKey = 250, LongestValue = 8000;

    public required string TraceId { get; init; }
    public required string Key { get; init; }
    public bool IsMetadata { get; init; }
    public required string Value { get; set; }
    /// <summary>What the index holds of the value; see <see cref="IndexedText"/>.</summary>
    public string Head { get => IndexedText.Head(Value); private set { } }
}

/// <summary>A run that a trace was made for, said afterwards.</summary>
public sealed class RunTrace
{
    public Guid RunId { get; init; }
    public required string TraceId { get; init; }
}
