namespace LlmOps.Lifecycle.Tracing;

/// <summary>One step of serving a request. Spans with one TraceId form the trace; the root has no parent.</summary>
public sealed class Span
{
    /// <summary>16 hexadecimal digits, as OpenTelemetry writes it.</summary>
    public required string SpanId { get; init; }
    /// <summary>32 hexadecimal digits.</summary>
    public required string TraceId { get; init; }
    public string? ParentSpanId { get; init; }
    public required string Name { get; init; }
    /// <summary>"chat" or "ask" for a root; "generation", "retrieval", "answer" or "job" for a step.</summary>
    public required string Kind { get; init; }
    public string? DeploymentName { get; init; }
    public string? RevisionName { get; init; }
    public DateTimeOffset StartedAt { get; init; }
    public double DurationMs { get; init; }
    public int? InputTokens { get; init; }
    public int? OutputTokens { get; init; }
    public double? FirstTokenMs { get; init; }
    public string? Input { get; init; }
    public string? Output { get; init; }
    public string AttributesJson { get; init; } = "{}";
    public string? Error { get; init; }
    public string? UserName { get; init; }
}

public sealed class Feedback
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string TraceId { get; init; }
    /// <summary>+1 or −1.</summary>
    public int Score { get; set; }
    public string? Comment { get; set; }
    public Guid PersonId { get; init; }
    public required string PersonName { get; init; }
    public DateTimeOffset At { get; set; }
}
