using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>A trace without its spans, as the MLflow API tells of it: what a client said, and where it said nothing what the spans say.</summary>
/// <param name="DurationMs">Null while it goes on.</param>
/// <param name="HasSpans">False where only a client told of it.</param>
public sealed record TraceSummary(string TraceId, Guid ExperimentId, string Name, string State, DateTimeOffset At, double? DurationMs, string? ClientRequestId, string? RequestPreview, string? ResponsePreview,
    IReadOnlyList<KeyValue> Metadata, IReadOnlyList<KeyValue> Tags, IReadOnlyList<Assessment> Assessments, IReadOnlyList<Guid> Runs, bool HasSpans);
