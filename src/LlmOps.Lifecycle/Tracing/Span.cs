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
    /// <summary>"chat" or "ask" for a root; "generation", "retrieval", "answer" or "job" for a step. What clients send has the operation of the GenAI conventions, or "span".</summary>
    public required string Kind { get; init; }
    public string? DeploymentName { get; init; }
    public string? RevisionName { get; init; }
    /// <summary>Stored to the millisecond, by which spans are searched; <see cref="StartedNanos"/> has the rest.</summary>
    public DateTimeOffset StartedAt { get; init; }
    /// <summary>Nanoseconds after the millisecond, 0 to 999,999: steps of one millisecond keep their order, and what was sent is given back.</summary>
    public int StartedNanos { get; init; }
    public double DurationMs { get; init; }
    public int? InputTokens { get; init; }
    public int? OutputTokens { get; init; }
    public double? FirstTokenMs { get; init; }
    public string? Input { get; init; }
    public string? Output { get; init; }
    public string AttributesJson { get; init; } = "{}";
    public string? Error { get; init; }
    public string? UserName { get; init; }

    /// <summary>The program that sent it: service.name. Null for what this server did itself.</summary>
    public string? ServiceName { get; init; }
    /// <summary>The conversation that the trace belongs to: gen_ai.conversation.id or session.id.</summary>
    public string? SessionId { get; init; }
    public string? Provider { get; init; }
    public string? Model { get; init; }
    /// <summary>Part of <see cref="InputTokens"/>.</summary>
    public int? CacheReadTokens { get; init; }
    /// <summary>Part of <see cref="InputTokens"/>.</summary>
    public int? CacheWriteTokens { get; init; }
    /// <summary>By the price that held when it arrived; null where no price was known.</summary>
    public double? CostUsd { get; init; }
    /// <summary>The cached tokens are more than all input tokens: whoever sent this does not count the cache as input, so the cost is a guess.</summary>
    public bool TokensDisagree { get; init; }

    /// <summary>Since 1970; the same before and after it was stored.</summary>
    public long StartUnixNanos() => (StartedAt.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) * 100 + StartedNanos;

    /// <summary>Since 1970. A duration holds whole nanoseconds up to a hundred days.</summary>
    public long EndUnixNanos() => StartUnixNanos() + (long)Math.Round(DurationMs * 1e6);

    /// <summary>The same span with other texts.</summary>
    internal Span With(string? input, string? output, string? error, string? userName, string attributesJson) => new()
    {
        TraceId = TraceId, SpanId = SpanId, ParentSpanId = ParentSpanId, Name = Name, Kind = Kind, DeploymentName = DeploymentName, RevisionName = RevisionName, StartedAt = StartedAt, StartedNanos = StartedNanos, DurationMs = DurationMs,
        InputTokens = InputTokens, OutputTokens = OutputTokens, FirstTokenMs = FirstTokenMs, Input = input, Output = output, AttributesJson = attributesJson, Error = error, UserName = userName,
        ServiceName = ServiceName, SessionId = SessionId, Provider = Provider, Model = Model, CacheReadTokens = CacheReadTokens, CacheWriteTokens = CacheWriteTokens, CostUsd = CostUsd, TokensDisagree = TokensDisagree,
    };
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
