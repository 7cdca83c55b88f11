using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Serving;

/// <summary>The spans of one served request, collected while it runs and stored when it ends, however it ends.</summary>
public sealed class ServedTrace(ServingRevision revision, string kind, string input, Actor actor, TimeProvider time)
{
    private readonly long began = time.GetTimestamp();
    private readonly DateTimeOffset startedAt = time.GetUtcNow();
    private readonly string rootId = Digits(8);
    private readonly List<Span> children = [];

    public string TraceId { get; } = Digits(16);

    public double ElapsedMs => time.GetElapsedTime(began).TotalMilliseconds;

    /// <summary>Begins a step; the end is told to the returned step.</summary>
    public Step Begin(string name, string stepKind, string? stepInput = null) => new(this, name, stepKind, stepInput, ElapsedMs);

    public IReadOnlyCollection<Span> Finish(string? output, string? error, int? inputTokens = null, int? outputTokens = null, double? firstTokenMs = null, object? attributes = null) =>
        [new Span
        {
            SpanId = rootId, TraceId = TraceId, Name = revision.Deployment, Kind = kind, DeploymentName = revision.IsDirect ? null : revision.Deployment, RevisionName = revision.Name, StartedAt = startedAt, DurationMs = ElapsedMs,
            InputTokens = inputTokens, OutputTokens = outputTokens, FirstTokenMs = firstTokenMs, Input = input, Output = output, Error = error, UserName = actor.Name,
            AttributesJson = Json.Write(attributes ?? new { revision.Version, revision.Variant }),
        }, .. children];

    private static string Digits(int bytes) => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(bytes));

    public sealed class Step(ServedTrace trace, string name, string kind, string? input, double beganMs)
    {
        public double ElapsedMs => trace.ElapsedMs - beganMs;

        public void End(string? output, string? error = null, int? inputTokens = null, int? outputTokens = null, double? firstTokenMs = null, object? attributes = null) => trace.children.Add(new Span
        {
            SpanId = Digits(8), TraceId = trace.TraceId, ParentSpanId = trace.rootId, Name = name, Kind = kind, StartedAt = trace.startedAt.AddMilliseconds(beganMs), DurationMs = ElapsedMs,
            InputTokens = inputTokens, OutputTokens = outputTokens, FirstTokenMs = firstTokenMs, Input = input, Output = output, Error = error,
            AttributesJson = attributes is null ? "{}" : Json.Write(attributes),
        });
    }
}
