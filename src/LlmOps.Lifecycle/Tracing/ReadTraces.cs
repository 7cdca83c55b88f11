using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <param name="Outcome">"failed" or "answered".</param>
/// <param name="Feedback">"up" or "down".</param>
public sealed record TraceFilter(string? Search = null, string? Deployment = null, string? Kind = null, string? Outcome = null, string? Feedback = null)
{
    /// <summary>A part of the name, whatever its case.</summary>
    public string? Name { get; init; }
    /// <summary>A model that any step of the trace called.</summary>
    public string? Model { get; init; }
    public string? Service { get; init; }
    public string? Session { get; init; }
    public DateTimeOffset? From { get; init; }
    public DateTimeOffset? To { get; init; }
    public double? LeastMs { get; init; }
    public int? LeastTokens { get; init; }
    public double? LeastCostUsd { get; init; }
}

/// <summary>The first span of a trace; long texts are cut for the list. Tokens and cost are of the whole trace.</summary>
public sealed record TraceRow(string TraceId, string Name, string Kind, string? Deployment, string? Revision, DateTimeOffset StartedAt, double DurationMs, double? FirstTokenMs, long? InputTokens, long? OutputTokens,
    string? Input, string? Output, string? Error, string? UserName, int ThumbsUp, int ThumbsDown)
{
    public string? Model { get; init; }
    public string? Service { get; init; }
    public string? Session { get; init; }
    public double? CostUsd { get; init; }
}

public sealed record TraceDetail(string TraceId, IReadOnlyList<Span> Spans, IReadOnlyList<Feedback> Feedback)
{
    public Span Root => Spans.FirstOrDefault(s => s.ParentSpanId is null) ?? Spans.FirstOrDefault(s => Spans.All(p => p.SpanId != s.ParentSpanId)) ?? Spans[0];
    public DateTimeOffset StartedAt => Spans.Min(s => s.StartedAt);
    public double DurationMs => Spans.Max(s => BeganMs(s) + s.DurationMs);
    /// <summary>How long after the first span this one began.</summary>
    public double BeganMs(Span span) => (span.StartUnixNanos() - Spans.Min(s => s.StartUnixNanos())) / 1e6;
    /// <summary>Null when no span has a price.</summary>
    public double? CostUsd => Spans.Any(s => s.CostUsd is not null) ? Spans.Sum(s => s.CostUsd ?? 0) : null;
    public bool TokensDisagree => Spans.Any(s => s.TokensDisagree);
    /// <summary>What people, judges and programs said of it, beside thumbs; oldest first.</summary>
    public IReadOnlyList<Assessment> Assessments { get; init; } = [];
    public IReadOnlyList<TraceTag> Tags { get; init; } = [];
    /// <summary>The runs that it was made for.</summary>
    public IReadOnlyList<Guid> Runs { get; init; } = [];
}

public sealed class ReadTraces(IDbContextFactory<LlmOpsDb> dbs)
{
    private const int ListedText = 200;

    /// <summary>Newest first.</summary>
    public async Task<Window<TraceRow>> ListAsync(TraceFilter filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await Firsts(db, filter).OrderByDescending(s => s.StartedAt).ThenBy(s => s.TraceId).ThenBy(s => s.SpanId)
            .Select(s => new TraceRow(s.TraceId, s.Name, s.Kind, s.DeploymentName, s.RevisionName, s.StartedAt, s.DurationMs, s.FirstTokenMs,
                (long?)s.InputTokens ?? db.Spans.Where(c => c.TraceId == s.TraceId && Paid.Contains(c.Kind)).Sum(c => (long?)c.InputTokens), (long?)s.OutputTokens ?? db.Spans.Where(c => c.TraceId == s.TraceId && Paid.Contains(c.Kind)).Sum(c => (long?)c.OutputTokens),
                s.Input!.Substring(0, ListedText), s.Output!.Substring(0, ListedText), s.Error, s.UserName,
                db.Feedback.Count(f => f.TraceId == s.TraceId && f.Score > 0), db.Feedback.Count(f => f.TraceId == s.TraceId && f.Score < 0))
            {
                Model = s.Model ?? db.Spans.Where(c => c.TraceId == s.TraceId && c.Model != null).OrderBy(c => c.StartedAt).Select(c => c.Model).FirstOrDefault(), Service = s.ServiceName, Session = s.SessionId,
                CostUsd = db.Spans.Any(c => c.TraceId == s.TraceId && c.CostUsd != null) ? db.Spans.Where(c => c.TraceId == s.TraceId).Sum(c => c.CostUsd) : null,
            })
            .WindowAsync(skip, take, ct);
    }

    // Steps whose tokens are their own; agents and workflows repeat those of the steps inside them.
    internal static readonly string[] Paid = ["chat", "generate_content", "text_completion", "embeddings"];

    /// <summary>
    /// One span for each trace: the root, or one whose parent was not sent, because it belongs to a program that sends its spans elsewhere.
    /// </summary>
    internal static IQueryable<Span> Firsts(LlmOpsDb db, TraceFilter filter)
    {
        var firsts = db.Spans.AsNoTracking().Where(s => s.ParentSpanId == null || !db.Spans.Any(p => p.TraceId == s.TraceId && p.SpanId == s.ParentSpanId));
        if (filter.Deployment is { Length: > 0 } deployment)
            firsts = firsts.Where(s => s.DeploymentName == deployment);
        if (filter.Kind is { Length: > 0 } kind)
            firsts = firsts.Where(s => s.Kind == kind);
        if (filter.Name?.Trim() is { Length: > 0 } name)
            firsts = firsts.Where(s => s.Name.ToLower().Contains(name.ToLowerInvariant()));
        if (filter.Model is { Length: > 0 } model)
            firsts = firsts.Where(s => db.Spans.Any(c => c.TraceId == s.TraceId && c.Model == model));
        if (filter.Service is { Length: > 0 } service)
            firsts = firsts.Where(s => s.ServiceName == service);
        if (filter.Session is { Length: > 0 } session)
            firsts = firsts.Where(s => db.Spans.Any(c => c.TraceId == s.TraceId && c.SessionId == session));
        if (filter.From is { } from)
            firsts = firsts.Where(s => s.StartedAt >= from);
        if (filter.To is { } to)
            firsts = firsts.Where(s => s.StartedAt < to);
        if (filter.LeastMs is { } ms)
            firsts = firsts.Where(s => s.DurationMs >= ms);
        if (filter.LeastTokens is { } tokens)
            firsts = firsts.Where(s => ((long)(s.InputTokens ?? 0) + (long)(s.OutputTokens ?? 0)) >= tokens || db.Spans.Where(c => c.TraceId == s.TraceId && Paid.Contains(c.Kind)).Sum(c => (long)(c.InputTokens ?? 0) + (long)(c.OutputTokens ?? 0)) >= tokens);
        if (filter.LeastCostUsd is { } usd)
            firsts = firsts.Where(s => db.Spans.Where(c => c.TraceId == s.TraceId).Sum(c => c.CostUsd ?? 0) >= usd);
        firsts = filter.Outcome switch { "failed" => firsts.Where(s => s.Error != null), "answered" => firsts.Where(s => s.Error == null), _ => firsts };
        if (filter.Feedback is "up" or "down")
        {
            var score = filter.Feedback == "up" ? 1 : -1;
            firsts = firsts.Where(s => db.Feedback.Any(f => f.TraceId == s.TraceId && f.Score == score));
        }
        if (!string.IsNullOrWhiteSpace(filter.Search))
        {
            var text = filter.Search.Trim().ToLowerInvariant();
            firsts = firsts.Where(s => s.TraceId.StartsWith(text) || s.Name.ToLower().Contains(text) || s.Input!.ToLower().Contains(text) || s.Output!.ToLower().Contains(text) || s.UserName!.ToLower().Contains(text));
        }
        return firsts;
    }

    public async Task<TraceDetail> GetAsync(string traceId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var spans = await db.Spans.AsNoTracking().Where(s => s.TraceId == traceId).OrderBy(s => s.StartedAt).ThenBy(s => s.StartedNanos).ThenBy(s => s.ParentSpanId != null).ThenBy(s => s.SpanId).ToListAsync(ct);
        return spans.Count == 0
            ? throw LlmOpsException.NotFound("Trace", traceId)
            : new(traceId, spans, await db.Feedback.AsNoTracking().Where(f => f.TraceId == traceId).OrderBy(f => f.At).ToListAsync(ct))
            {
                Assessments = await db.Assessments.AsNoTracking().Where(a => a.TraceId == traceId).OrderBy(a => a.CreatedAt).ThenBy(a => a.Id).ToListAsync(ct),
                Tags = await db.TraceTags.AsNoTracking().Where(t => t.TraceId == traceId && !t.IsMetadata).OrderBy(t => t.Key).ToListAsync(ct),
                Runs = await RunsAsync(db, traceId, ct),
            };
    }

    private static async Task<IReadOnlyList<Guid>> RunsAsync(LlmOpsDb db, string traceId, CancellationToken ct)
    {
        var began = await db.TraceTags.AsNoTracking().Where(t => t.TraceId == traceId && t.IsMetadata && t.Key == LogTrace.SourceRun).Select(t => t.Value).SingleOrDefaultAsync(ct);
        var runs = await db.RunTraces.AsNoTracking().Where(l => l.TraceId == traceId).Select(l => l.RunId).ToListAsync(ct);
        // A client may name any run; only one that is here has a page.
        return Guid.TryParse(began, out var run) && !runs.Contains(run) && await db.Runs.AnyAsync(r => r.Id == run, ct) ? [run, .. runs] : runs;
    }

    public async Task<IReadOnlyList<string>> DeploymentsAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Spans.Where(s => s.ParentSpanId == null && s.DeploymentName != null).Select(s => s.DeploymentName!).Distinct().OrderBy(n => n).ToListAsync(ct);
    }

    /// <summary>The models and the programs of the traces since then, for the choices of a filter.</summary>
    public async Task<(IReadOnlyList<string> Models, IReadOnlyList<string> Services)> ChoicesAsync(DateTimeOffset since, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var recent = db.Spans.Where(s => s.StartedAt >= since);
        return (await recent.Where(s => s.Model != null).Select(s => s.Model!).Distinct().OrderBy(n => n).Take(100).ToListAsync(ct),
            await recent.Where(s => s.ServiceName != null).Select(s => s.ServiceName!).Distinct().OrderBy(n => n).Take(100).ToListAsync(ct));
    }
}
