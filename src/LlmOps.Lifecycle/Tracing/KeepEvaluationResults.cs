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
    private const int LongestName = 250, LongestLabel = 8_000, LongestExplanation = AssessTrace.LongestRationale;

    /// <summary>What a span's events say of it; an event that names nothing or gives no value says nothing. To be read before the span is made canonical, which moves names.</summary>
    public IEnumerable<Assessment> Of(ReceivedSpan span)
    {
        foreach (var e in span.Events.Where(e => e.Name == Event))
        {
            var said = new ReceivedResult { TraceId = span.TraceId, SpanId = span.SpanId, TimeNanos = e.TimeNanos, Attributes = e.Attributes, Resource = span.Resource };
            if (Objection(said) is null)
                yield return Of(said);
        }
    }

    /// <summary>Why it says nothing that can be kept, or null.</summary>
    public static string? Objection(ReceivedResult said) =>
        Text(said, "gen_ai.evaluation.name") is not { Length: <= LongestName } name ? $"gen_ai.evaluation.name is missing or has more than {LongestName} characters"
        : name == Thumbs.Name ? $"gen_ai.evaluation.name is '{Thumbs.Name}', the name of what people give"
        : Score(said) is null && Text(said, "gen_ai.evaluation.score.label") is null && Text(said, "error.type") is null ? "an evaluation result has neither gen_ai.evaluation.score.value nor .score.label nor error.type"
        : null;

    /// <summary>Of a result to which there is no objection.</summary>
    public Assessment Of(ReceivedResult said)
    {
        var now = time.GetUtcNow();
        var (name, label, score, error, explanation) = (Text(said, "gen_ai.evaluation.name")!, Text(said, "gen_ai.evaluation.score.label", LongestLabel), Score(said), Text(said, "error.type", LongestName), Text(said, "gen_ai.evaluation.explanation", LongestExplanation));
        var id = string.Join('\u001F', said.TraceId, said.SpanId, name, said.TimeNanos, score, label, error, explanation);
        label = RedactSpan.Text(label, settings);
        return new Assessment
        {
            // The same event, sent again, is the same row.
            Id = new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 16)),
            TraceId = said.TraceId, SpanId = said.SpanId.Length == 0 ? null : said.SpanId, Name = name, Kind = Assessment.Feedback, ValueJson = score is { } value ? Json.Write(value) : label is null ? null : Json.Write(label), Number = score,
            ValueText = IndexedText.Head(score is { } number ? Json.Write(number) : label ?? ""), ErrorCode = error, SourceType = "CODE", SourceId = AttributeText.Of(said.Resource.GetValueOrDefault("service.name")) is { Length: > 0 and <= LongestName } program ? Storable(program) : By,
            Rationale = RedactSpan.Text(explanation, settings), MetadataJson = score is not null && label is not null ? Json.Write(new Dictionary<string, string> { ["label"] = label }) : "{}",
            CreatedBy = By, CreatedAt = said.TimeNanos is > 0 and < 9_000_000_000_000_000_000 ? DateTimeOffset.FromUnixTimeMilliseconds((long)(said.TimeNanos / 1_000_000)) : now, UpdatedAt = now,
        };
    }

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

    private static double? Score(ReceivedResult said) => said.Attributes.GetValueOrDefault("gen_ai.evaluation.score.value") switch { double d when double.IsFinite(d) => d, long n => n, _ => null };

    private static string? Text(ReceivedResult said, string key, int most = int.MaxValue)
    {
        if (AttributeText.Of(said.Attributes.GetValueOrDefault(key)) is not { Length: > 0 } text)
            return null;
        return Storable(text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)]);
    }

    private static string Storable(string text) => text.Replace('\0', '\uFFFD');
}
