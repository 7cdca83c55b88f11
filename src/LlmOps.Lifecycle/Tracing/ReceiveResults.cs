using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>
/// Results of evaluations that programs send as records of the logs signal. A record names the span it judges, or only the answer (gen_ai.response.id): then the newest span that gave
/// this answer is looked for. A result may come before its span; one that names a trace is kept all the same.
/// </summary>
public sealed class ReceiveResults(IDbContextFactory<LlmOpsDb> dbs, KeepEvaluationResults results, TraceSettings settings, Hints hints)
{
    /// <summary>Among how many spans an answer is looked for: the newest before the record.</summary>
    public const int SpansLookedAt = 20_000;
    /// <summary>How many answers one request may name by their id alone.</summary>
    public const int MostAnswers = 100;
    private const string Response = "gen_ai.response.id";
    private const int ReasonsTold = 3;
    private const ulong LastNanos = 9_000_000_000_000_000_000;
    private static readonly TimeSpan Skew = TimeSpan.FromHours(1);

    private sealed record Answer(string TraceId, string SpanId);

    /// <summary>Returns when everything that can be kept is in the database.</summary>
    public async Task<ReceivedOutcome> ReceiveAsync(IReadOnlyList<ReceivedResult> sent, CancellationToken ct = default)
    {
        List<string> reasons = [];
        var answers = await AnswersAsync(sent, ct);
        List<Assessment> said = [];
        foreach (var result in sent)
        {
            var placed = Place(result, answers);
            if ((KeepEvaluationResults.Objection(result) ?? PlaceObjection(placed)) is { } objection)
                reasons.Add(objection);
            else if (settings.Keeps(placed!.TraceId))
                said.Add(results.Of(placed));
        }
        if (await results.KeepAsync(said, ct) > 0)
            await hints.ChangedAsync(Areas.Trace, Guid.Empty);
        return new(reasons.Count, reasons.Count == 0 ? null : string.Join("; ", reasons.Distinct().Take(ReasonsTold)) + ".");
    }

    private static ReceivedResult? Place(ReceivedResult result, IReadOnlyDictionary<string, Answer> answers) =>
        result.TraceId.Length > 0 ? result : ResponseOf(result) is { } id && answers.TryGetValue(id, out var answer) ? result with { TraceId = answer.TraceId, SpanId = answer.SpanId } : null;

    private static string? PlaceObjection(ReceivedResult? placed) =>
        placed is null ? $"an evaluation result names no trace, and none of the newest {SpansLookedAt} spans has its {Response} (a request names at most {MostAnswers} answers like this)"
        : !IsId(placed.TraceId, 32) ? "trace_id is not 16 bytes with at least one that is not zero"
        : placed.SpanId.Length > 0 && !IsId(placed.SpanId, 16) ? "span_id is neither empty nor 8 bytes with at least one that is not zero"
        : null;

    private static bool IsId(string text, int digits) => text.Length == digits && text.All(char.IsAsciiHexDigit) && text.Any(c => c != '0');

    private static string? ResponseOf(ReceivedResult result) => result.Attributes.GetValueOrDefault(Response) is string { Length: > 0 and <= 250 } id && !id.Contains('\0', StringComparison.Ordinal) ? id : null;

    private async Task<IReadOnlyDictionary<string, Answer>> AnswersAsync(IReadOnlyList<ReceivedResult> sent, CancellationToken ct)
    {
        var nameless = sent.Where(r => r.TraceId.Length == 0 && ResponseOf(r) is not null).ToList();
        if (nameless.Count == 0)
            return new Dictionary<string, Answer>();
        var ids = nameless.Select(r => ResponseOf(r)!).Distinct().Take(MostAnswers).ToHashSet();
        var last = nameless.Max(r => r.TimeNanos is 0 or > LastNanos ? LastNanos : r.TimeNanos);
        var before = DateTimeOffset.FromUnixTimeMilliseconds((long)(last / 1_000_000)) + Skew;
        await using var db = await dbs.CreateDbContextAsync(ct);
        var newest = db.Spans.AsNoTracking().Where(s => s.StartedAt <= before).OrderByDescending(s => s.StartedAt).Take(SpansLookedAt);
        // The database looks for the texts of the ids; whether one is the attribute, its few finds say themselves.
        List<string> quoted = [.. ids.Select(AttributeText.Json)];
        var candidates = await newest.Where(s => quoted.Any(q => s.AttributesJson.Contains(q))).OrderByDescending(s => s.StartedAt).Take(10 * MostAnswers).Select(s => new { s.TraceId, s.SpanId, s.AttributesJson }).ToListAsync(ct);
        var found = new Dictionary<string, Answer>();
        foreach (var span in candidates)
            if (MlflowAttributes.Parsed(span.AttributesJson) is { ValueKind: JsonValueKind.Object } attributes && attributes.TryGetProperty(Response, out var id) && id.ValueKind == JsonValueKind.String && ids.Contains(id.GetString()!))
                found.TryAdd(id.GetString()!, new(span.TraceId, span.SpanId));
        return found;
    }
}
