namespace LlmOps.Lifecycle.Tracing;

/// <summary>What a program said of an answer, as an event of a span or as a record of the logs signal.</summary>
public sealed record ReceivedResult
{
    /// <summary>Lower-case hexadecimal, of whatever length was sent; empty where the record names only the answer.</summary>
    public string TraceId { get; init; } = "";
    /// <summary>The span that was judged; empty for the whole trace.</summary>
    public string SpanId { get; init; } = "";
    /// <summary>Nanoseconds since 1970; 0 where nothing is said.</summary>
    public ulong TimeNanos { get; init; }
    public IReadOnlyDictionary<string, object?> Attributes { get; init; } = new Dictionary<string, object?>();
    public IReadOnlyDictionary<string, object?> Resource { get; init; } = new Dictionary<string, object?>();
}
