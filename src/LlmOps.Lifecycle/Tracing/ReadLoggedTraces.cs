using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Traces as clients of the MLflow API see them, whoever sent them: by id and by search.</summary>
public sealed class ReadLoggedTraces(IDbContextFactory<LlmOpsDb> dbs)
{
    public const int Usual = 100, Most = 500, MostAtOnce = 500;
    private const int Preview = 1000;

    private sealed record Step(string TraceId, string SpanId, string? ParentSpanId, string Name, string Kind, DateTimeOffset StartedAt, double DurationMs, string? Error, string? SessionId, string? UserName,
        int? InputTokens, int? OutputTokens, string? Input, string? Output);

    public async Task<TraceSummary> GetAsync(string traceId, CancellationToken ct = default) => (await ManyAsync([traceId], ct)) is [var one] ? one : throw TraceKeys.NotFound(traceId);

    /// <summary>Those that are there, in the order of the ids.</summary>
    public async Task<IReadOnlyList<TraceSummary>> ManyAsync(IReadOnlyList<string> traceIds, CancellationToken ct = default)
    {
        if (traceIds.Count > MostAtOnce)
            throw LlmOpsException.Invalid($"Ask for at most {MostAtOnce} traces at once; these are {traceIds.Count}.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await LoadAsync(db, traceIds, ct);
    }

    /// <summary>The spans of these traces, oldest first; what only stands for spans that have not come is none.</summary>
    public async Task<ILookup<string, Span>> SpansAsync(IReadOnlyList<string> traceIds, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        string[] ids = [.. traceIds];
        var spans = await db.Spans.AsNoTracking().Where(s => ids.Contains(s.TraceId)).OrderBy(s => s.StartedAt).ThenBy(s => s.StartedNanos).ThenBy(s => s.ParentSpanId != null).ThenBy(s => s.SpanId).ToListAsync(ct);
        return spans.Where(s => !PlaceholderSpan.IsOne(s)).ToLookup(s => s.TraceId);
    }

    public async Task<Page<TraceSummary>> SearchAsync(IReadOnlyList<Guid> experiments, string? filter, IReadOnlyList<string>? orderBy, int? maxResults, string? pageToken, CancellationToken ct = default)
    {
        var most = TableSearch.EnsureSize(maxResults, Usual, Most);
        var parsed = FilterParser.Parse(filter);
        var order = OrderItem.Parse(orderBy);
        var begin = PageToken.Read<List<string>>(pageToken);
        if (experiments.Count == 0)
            return new([], null);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var search = new TraceStatement(!db.Database.IsSqlite(), experiments, parsed, order);
        var rows = await search.ReadAsync(db, begin, most + 1, ct);
        var ids = rows.Take(most).Select(r => r.TraceId).ToList();
        return new(await LoadAsync(db, ids, ct), rows.Count > most ? PageToken.Write(rows[most - 1].Values) : null);
    }

    /// <summary>How many traces meet the filters: all of them together.</summary>
    public async Task<long> CountAsync(IReadOnlyList<Guid> experiments, IReadOnlyList<string?> filters, CancellationToken ct = default)
    {
        var parts = filters.Select(FilterParser.Parse).OfType<Filter>().ToList();
        if (experiments.Count == 0)
            return 0;
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await new TraceStatement(!db.Database.IsSqlite(), experiments, parts.Count == 0 ? null : new Filter.All(parts), []).CountAsync(db, ct);
    }

    private static async Task<IReadOnlyList<TraceSummary>> LoadAsync(LlmOpsDb db, IReadOnlyList<string> traceIds, CancellationToken ct)
    {
        string[] ids = [.. traceIds.Distinct()];
        var steps = (await db.Spans.AsNoTracking().Where(s => ids.Contains(s.TraceId)).Select(s => new Step(s.TraceId, s.SpanId, s.ParentSpanId, s.Name, s.Kind, s.StartedAt, s.DurationMs, s.Error, s.SessionId, s.UserName,
            s.InputTokens, s.OutputTokens, s.Input!.Substring(0, Preview), s.Output!.Substring(0, Preview))).ToListAsync(ct)).ToLookup(s => s.TraceId);
        var rows = await db.LoggedTraces.AsNoTracking().Where(t => ids.Contains(t.TraceId)).ToDictionaryAsync(t => t.TraceId, ct);
        var tags = (await db.TraceTags.AsNoTracking().Where(t => ids.Contains(t.TraceId)).ToListAsync(ct)).ToLookup(t => t.TraceId);
        var assessments = (await db.Assessments.AsNoTracking().Where(a => ids.Contains(a.TraceId)).OrderBy(a => a.CreatedAt).ThenBy(a => a.Id).ToListAsync(ct)).ToLookup(a => a.TraceId);
        var thumbs = (await db.Feedback.AsNoTracking().Where(f => ids.Contains(f.TraceId)).OrderBy(f => f.At).ToListAsync(ct)).ToLookup(f => f.TraceId);
        var runs = (await db.RunTraces.AsNoTracking().Where(l => ids.Contains(l.TraceId)).ToListAsync(ct)).ToLookup(l => l.TraceId, l => l.RunId);
        return [.. ids.Where(steps.Contains).Select(id => Of(id, [.. steps[id]], rows.GetValueOrDefault(id), [.. tags[id]], [.. assessments[id], .. thumbs[id].Select(Thumbs.AsAssessment)], [.. runs[id]]))];
    }

    private static TraceSummary Of(string id, List<Step> steps, LoggedTrace? row, List<TraceTag> said, List<Assessment> assessments, List<Guid> runs)
    {
        var root = steps.OrderBy(s => s.ParentSpanId is not null).ThenBy(s => s.StartedAt).ThenBy(s => s.SpanId, StringComparer.Ordinal).First();
        var state = row?.State ?? (root.ParentSpanId is not null ? "IN_PROGRESS" : root.Error is null ? "OK" : "ERROR");
        var (metadata, tags) = (Pairs(said, true), Pairs(said, false));
        var (request, response) = (row?.RequestPreview ?? root.Input, row?.ResponsePreview ?? root.Output);
        Add(metadata, LogTrace.Session, steps.Select(s => s.SessionId).FirstOrDefault(s => s is not null));
        Add(metadata, LogTrace.User, root.UserName);
        Add(metadata, "mlflow.trace_schema.version", "3");
        Add(metadata, "mlflow.traceInputs", Short(request));
        Add(metadata, "mlflow.traceOutputs", Short(response));
        var paid = steps.Where(s => ReadTraces.Paid.Contains(s.Kind)).ToList();
        var (input, output) = root.InputTokens is not null || root.OutputTokens is not null ? (root.InputTokens ?? 0L, root.OutputTokens ?? 0L) : (paid.Sum(s => (long)(s.InputTokens ?? 0)), paid.Sum(s => (long)(s.OutputTokens ?? 0)));
        if (input + output > 0)
            Add(metadata, "mlflow.trace.tokenUsage", Json.Write(new { input_tokens = input, output_tokens = output, total_tokens = input + output }));
        Add(tags, LogTrace.Name, root.Name);
        var experiment = row?.ExperimentId ?? TrackingKeys.DefaultExperimentId;
        var hasSpans = steps.Count > 1 || root.SpanId != PlaceholderSpan.IdOf(id);
        tags[LogTrace.ArtifactLocation] = $"mlflow-artifacts:/{TrackingKeys.Text(experiment)}/traces/{TraceKeys.Text(id)}/artifacts";
        if (hasSpans)
            tags[LogTrace.SpansLocation] = "TRACKING_STORE";
        return new(id, experiment, tags[LogTrace.Name], state, root.StartedAt, state == "IN_PROGRESS" ? null : root.DurationMs, row?.ClientRequestId, request, response, List(metadata), List(tags), assessments, runs, hasSpans);
    }

    private static SortedDictionary<string, string> Pairs(List<TraceTag> said, bool isMetadata)
    {
        var pairs = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var tag in said.Where(t => t.IsMetadata == isMetadata))
            pairs[tag.Key] = tag.Value;
        return pairs;
    }

    private static void Add(SortedDictionary<string, string> pairs, string key, string? value)
    {
        if (!string.IsNullOrEmpty(value))
            pairs.TryAdd(key, value);
    }

    private static string? Short(string? text) => text is { Length: > 250 } ? IndexedText.Head(text) + "…" : text;

    private static IReadOnlyList<KeyValue> List(SortedDictionary<string, string> pairs) => [.. pairs.Select(p => new KeyValue(p.Key, p.Value))];
}
