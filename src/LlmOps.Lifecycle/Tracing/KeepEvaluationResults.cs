using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Events in which a program says how good an answer was (gen_ai.evaluation.result), kept as feedback on the span that they belong to.</summary>
public sealed class KeepEvaluationResults(IDbContextFactory<LlmOpsDb> dbs, TraceSettings settings, TimeProvider time)
{
    public const string Event = "gen_ai.evaluation.result";
    private const string By = "OpenTelemetry";

    /// <summary>What a span's events say of it; an event that names nothing or gives no value says nothing. To be read before the span is made canonical, which moves names.</summary>
    public static IEnumerable<Assessment> Of(ReceivedSpan span, TraceSettings settings, DateTimeOffset now)
    {
        foreach (var e in span.Events.Where(e => e.Name == Event))
        {
            string? Text(string key) => AttributeText.Of(e.Attributes.GetValueOrDefault(key)) is { Length: > 0 } text ? text : null;
            var (name, label) = (Text("gen_ai.evaluation.name"), Text("gen_ai.evaluation.score.label"));
            double? score = e.Attributes.GetValueOrDefault("gen_ai.evaluation.score.value") switch { double d when double.IsFinite(d) => d, long n => n, _ => null };
            var error = Text("error.type");
            if (name is null || name.Length > 250 || (score is null && label is null && error is null))
                continue;
            label = label is null ? null : RedactSpan.Text(label, settings)!;
            yield return new Assessment
            {
                // The same event, sent again, is the same row.
                Id = new Guid(SHA256.HashData(Encoding.UTF8.GetBytes($"{span.TraceId}.{span.SpanId}.{name}.{e.TimeNanos}")).AsSpan(0, 16)),
                TraceId = span.TraceId, SpanId = span.SpanId, Name = name, Kind = Assessment.Feedback, ValueJson = score is { } value ? Json.Write(value) : label is null ? null : Json.Write(label), Number = score,
                ValueText = IndexedText.Head(score is { } number ? Json.Write(number) : label ?? ""), ErrorCode = error, SourceType = "CODE", SourceId = AttributeText.Of(span.Resource.GetValueOrDefault("service.name")) is { Length: > 0 and <= 250 } program ? program : By,
                Rationale = Text("gen_ai.evaluation.explanation") is { } why ? RedactSpan.Text(why, settings) : null, MetadataJson = score is not null && label is not null ? Json.Write(new Dictionary<string, string> { ["label"] = label }) : "{}",
                CreatedBy = By, CreatedAt = e.TimeNanos is > 0 and < 9_000_000_000_000_000_000 ? DateTimeOffset.FromUnixTimeMilliseconds((long)(e.TimeNanos / 1_000_000)) : now, UpdatedAt = now,
            };
        }
    }

    public IEnumerable<Assessment> Of(ReceivedSpan span) => Of(span, settings, time.GetUtcNow());

    /// <summary>Adds those that are not there yet.</summary>
    public async Task<int> KeepAsync(IReadOnlyList<Assessment> said, CancellationToken ct = default)
    {
        if (said.Count == 0)
            return 0;
        return await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var ids = said.Select(a => a.Id).Distinct().ToList();
            var known = await db.Assessments.Where(a => ids.Contains(a.Id)).Select(a => a.Id).ToHashSetAsync(ct);
            var added = said.DistinctBy(a => a.Id).Where(a => !known.Contains(a.Id)).ToList();
            db.Assessments.AddRange(added);
            await db.SaveChangesAsync(ct);
            return added.Count;
        });
    }
}
