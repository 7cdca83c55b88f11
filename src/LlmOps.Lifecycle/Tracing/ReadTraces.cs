using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <param name="Outcome">"failed" or "answered".</param>
/// <param name="Feedback">"up" or "down".</param>
public sealed record TraceFilter(string? Search = null, string? Deployment = null, string? Kind = null, string? Outcome = null, string? Feedback = null);

/// <summary>The root span of a trace; long texts are cut for the list.</summary>
public sealed record TraceRow(string TraceId, string Name, string Kind, string? Deployment, string? Revision, DateTimeOffset StartedAt, double DurationMs, double? FirstTokenMs, int? InputTokens, int? OutputTokens,
    string? Input, string? Output, string? Error, string? UserName, int ThumbsUp, int ThumbsDown);

public sealed record TraceDetail(string TraceId, IReadOnlyList<Span> Spans, IReadOnlyList<Feedback> Feedback)
{
    public Span Root => Spans.FirstOrDefault(s => s.ParentSpanId is null) ?? Spans[0];
    public DateTimeOffset StartedAt => Spans.Min(s => s.StartedAt);
    public double DurationMs => Spans.Max(s => (s.StartedAt - StartedAt).TotalMilliseconds + s.DurationMs);
}

public sealed class ReadTraces(IDbContextFactory<LlmOpsDb> dbs)
{
    private const int ListedText = 200;

    /// <summary>Newest first.</summary>
    public async Task<Window<TraceRow>> ListAsync(TraceFilter filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var roots = db.Spans.AsNoTracking().Where(s => s.ParentSpanId == null);
        if (filter.Deployment is { Length: > 0 } deployment)
            roots = roots.Where(s => s.DeploymentName == deployment);
        if (filter.Kind is { Length: > 0 } kind)
            roots = roots.Where(s => s.Kind == kind);
        roots = filter.Outcome switch { "failed" => roots.Where(s => s.Error != null), "answered" => roots.Where(s => s.Error == null), _ => roots };
        if (filter.Feedback is "up" or "down")
        {
            var score = filter.Feedback == "up" ? 1 : -1;
            roots = roots.Where(s => db.Feedback.Any(f => f.TraceId == s.TraceId && f.Score == score));
        }
        if (!string.IsNullOrWhiteSpace(filter.Search))
        {
            var text = filter.Search.Trim().ToLowerInvariant();
            roots = roots.Where(s => s.TraceId.StartsWith(text) || s.Input!.ToLower().Contains(text) || s.Output!.ToLower().Contains(text) || s.UserName!.ToLower().Contains(text));
        }
        return await roots.OrderByDescending(s => s.StartedAt).ThenBy(s => s.SpanId)
            .Select(s => new TraceRow(s.TraceId, s.Name, s.Kind, s.DeploymentName, s.RevisionName, s.StartedAt, s.DurationMs, s.FirstTokenMs, s.InputTokens, s.OutputTokens,
                s.Input!.Substring(0, ListedText), s.Output!.Substring(0, ListedText), s.Error, s.UserName,
                db.Feedback.Count(f => f.TraceId == s.TraceId && f.Score > 0), db.Feedback.Count(f => f.TraceId == s.TraceId && f.Score < 0)))
            .WindowAsync(skip, take, ct);
    }

    public async Task<TraceDetail> GetAsync(string traceId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var spans = await db.Spans.AsNoTracking().Where(s => s.TraceId == traceId).OrderBy(s => s.StartedAt).ThenBy(s => s.SpanId).ToListAsync(ct);
        return spans.Count == 0
            ? throw LlmOpsException.NotFound("Trace", traceId)
            : new(traceId, spans, await db.Feedback.AsNoTracking().Where(f => f.TraceId == traceId).OrderBy(f => f.At).ToListAsync(ct));
    }

    public async Task<IReadOnlyList<string>> DeploymentsAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Spans.Where(s => s.ParentSpanId == null && s.DeploymentName != null).Select(s => s.DeploymentName!).Distinct().OrderBy(n => n).ToListAsync(ct);
    }
}
