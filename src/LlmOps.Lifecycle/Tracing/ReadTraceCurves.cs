using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Some traces that began in the same stretch of time.</summary>
/// <param name="MedianMs">Of their durations, as <paramref name="P95Ms"/>.</param>
public sealed record TraceBucket(DateTimeOffset StartedAt, int Traces, int Failed, double MedianMs, double P95Ms, long InputTokens, long OutputTokens, double CostUsd);

/// <param name="Newest">How many of the newest traces the curves are made of.</param>
/// <param name="IsCut">There are older ones that fit the filter and are left out.</param>
public sealed record TraceCurves(IReadOnlyList<TraceBucket> Buckets, int Newest, bool IsCut);

public sealed class ReadTraceCurves(IDbContextFactory<LlmOpsDb> dbs)
{
    public const int Most = 20_000;
    private const int Buckets = 48;

    private sealed record Point(string TraceId, DateTimeOffset StartedAt, double DurationMs, bool Failed, int? InputTokens, int? OutputTokens);

    /// <summary>Latency, tokens and cost over time, of the traces that fit.</summary>
    public async Task<TraceCurves> ReadAsync(TraceFilter filter, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var firsts = ReadTraces.Firsts(db, filter).OrderByDescending(s => s.StartedAt).ThenBy(s => s.TraceId);
        var points = await firsts.Take(Most + 1).Select(s => new Point(s.TraceId, s.StartedAt, s.DurationMs, s.Error != null, s.InputTokens, s.OutputTokens)).ToListAsync(ct);
        var isCut = points.Count > Most;
        if (isCut)
            points.RemoveAt(Most);
        if (points.Count == 0)
            return new([], 0, false);
        var (first, last) = (points[^1].StartedAt, points[0].StartedAt);
        var paid = await db.Spans.AsNoTracking().Where(s => s.StartedAt >= first && (s.CostUsd != null || (s.InputTokens != null && s.ParentSpanId != null && ReadTraces.Paid.Contains(s.Kind))))
            .GroupBy(s => s.TraceId).Select(g => new { g.Key, Cost = g.Sum(s => s.CostUsd), In = g.Sum(s => (long?)s.InputTokens), Out = g.Sum(s => (long?)s.OutputTokens) }).ToDictionaryAsync(g => g.Key, ct);
        var width = Math.Max(1, ((long)(last - first).TotalMilliseconds + Buckets) / Buckets);
        var buckets = points.GroupBy(p => (long)(p.StartedAt - first).TotalMilliseconds / width).OrderBy(g => g.Key).Select(g =>
        {
            double[] durations = [.. g.Select(p => p.DurationMs).Order()];
            return new TraceBucket(first.AddMilliseconds(g.Key * width), durations.Length, g.Count(p => p.Failed), Quantile(durations, 0.5), Quantile(durations, 0.95),
                g.Sum(p => p.InputTokens ?? (paid.GetValueOrDefault(p.TraceId)?.In ?? 0)), g.Sum(p => p.OutputTokens ?? (paid.GetValueOrDefault(p.TraceId)?.Out ?? 0)), g.Sum(p => paid.GetValueOrDefault(p.TraceId)?.Cost ?? 0));
        });
        return new([.. buckets], points.Count, isCut);
    }

    /// <summary>The value that at least this share is not above.</summary>
    public static double Quantile(IReadOnlyList<double> sorted, double share) => sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
}
