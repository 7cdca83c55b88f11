namespace LlmOps.Lifecycle.Tracing;

/// <summary>A span as a client sent it, however it was encoded. Values are text, bool, long, double, lists and maps of them.</summary>
public sealed record ReceivedSpan
{
    /// <summary>Lower-case hexadecimal, of whatever length was sent.</summary>
    public string TraceId { get; init; } = "";
    public string SpanId { get; init; } = "";
    public string ParentSpanId { get; init; } = "";
    public string Name { get; init; } = "";
    /// <summary>Nanoseconds since 1970.</summary>
    public ulong StartNanos { get; init; }
    public ulong EndNanos { get; init; }
    public Dictionary<string, object?> Attributes { get; init; } = [];
    public IReadOnlyList<ReceivedEvent> Events { get; init; } = [];
    public IReadOnlyList<ReceivedLink> Links { get; init; } = [];
    public bool Failed { get; init; }
    public string StatusMessage { get; init; } = "";
    /// <summary>What is true of the program that sent it.</summary>
    public IReadOnlyDictionary<string, object?> Resource { get; init; } = new Dictionary<string, object?>();
    /// <summary>The library that made it.</summary>
    public string Scope { get; init; } = "";

    private const ulong LastNanos = 9_000_000_000_000_000_000; // in the year 2255: 64 bits with a sign hold it

    /// <summary>Why it cannot be kept, or null.</summary>
    public string? Objection =>
        !IsId(TraceId, 32) ? "trace_id is not 16 bytes with at least one that is not zero"
        : !IsId(SpanId, 16) ? "span_id is not 8 bytes with at least one that is not zero"
        : ParentSpanId.Length > 0 && !IsId(ParentSpanId, 16) ? "parent_span_id is neither empty nor 8 bytes"
        : StartNanos is 0 or > LastNanos ? "start_time_unix_nano is missing or out of range"
        : EndNanos > LastNanos ? "end_time_unix_nano is out of range"
        : null;

    private static bool IsId(string text, int digits) => text.Length == digits && text.All(char.IsAsciiHexDigit) && text.Any(c => c != '0');
}

public sealed record ReceivedEvent(string Name, ulong TimeNanos, Dictionary<string, object?> Attributes);

public sealed record ReceivedLink(string TraceId, string SpanId);
