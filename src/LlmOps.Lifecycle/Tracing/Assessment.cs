namespace LlmOps.Lifecycle.Tracing;

/// <summary>What a person, a judge or a program says of a trace: feedback on what happened, or an expectation of what should have.</summary>
public sealed class Assessment
{
    public const string Feedback = "feedback", Expectation = "expectation";

    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string TraceId { get; init; }
    /// <summary>The step that is meant; null for the whole trace.</summary>
    public string? SpanId { get; init; }
    public required string Name { get; set; }
    /// <summary><see cref="Feedback"/> or <see cref="Expectation"/>.</summary>
    public required string Kind { get; init; }
    /// <summary>JSON: a text, a number, true or false, or a list or an object of them. Null where only an error is there.</summary>
    public string? ValueJson { get; set; }
    /// <summary>The value as a text, for the search; the beginning of it where it is long.</summary>
    public string ValueText { get; set; } = "";
    /// <summary>The value where it is a finite number.</summary>
    public double? Number { get; set; }
    public string? ErrorCode { get; set; }
    public string? ErrorMessage { get; set; }
    /// <summary>"HUMAN", "LLM_JUDGE" or "CODE".</summary>
    public required string SourceType { get; set; }
    public string SourceId { get; set; } = "";
    public string? Rationale { get; set; }
    /// <summary>A JSON object of texts.</summary>
    public string MetadataJson { get; set; } = "{}";
    /// <summary>The one that this replaces; that one is kept and no longer valid.</summary>
    public Guid? Overrides { get; init; }
    public bool IsValid { get; set; } = true;
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset UpdatedAt { get; set; }
}
