using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Takes traces of one experiment away, with everything that was said of them.</summary>
public sealed class DeleteTraces(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public const int Most = 1000;

    /// <returns>How many traces are gone. Ids that are not of this experiment are passed over.</returns>
    public async Task<int> ByIdAsync(Guid experimentId, IReadOnlyList<string> traceIds, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        if (traceIds.Count > Most)
            throw LlmOpsException.Invalid($"Delete at most {Most} traces at once; these are {traceIds.Count}.");
        string[] ids = [.. traceIds.Distinct()];
        await using var db = await dbs.CreateDbContextAsync(ct);
        var there = await In(db, experimentId).Where(s => ids.Contains(s.TraceId)).Select(s => s.TraceId).Distinct().ToArrayAsync(ct);
        return await DeleteAsync(db, experimentId, there, actor, ct);
    }

    /// <summary>The oldest of those that began until then.</summary>
    public async Task<int> UntilAsync(Guid experimentId, DateTimeOffset until, int? most, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        if (most is < 1)
            throw LlmOpsException.Invalid($"Invalid value {most} for parameter 'max_traces' supplied: it is a positive number.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var deleted = 0;
        // In parts, so that what is served meanwhile never waits long for the writer.
        while (deleted < (most ?? int.MaxValue))
        {
            var part = Math.Min(Most, (most ?? int.MaxValue) - deleted);
            var ids = await In(db, experimentId).GroupBy(s => s.TraceId).Select(g => new { g.Key, At = g.Min(s => s.StartedAt) }).Where(g => g.At <= until).OrderBy(g => g.At).ThenBy(g => g.Key).Select(g => g.Key).Take(part).ToArrayAsync(ct);
            deleted += await DeleteAsync(db, experimentId, ids, actor, ct);
            if (ids.Length < part)
                break;
        }
        return deleted;
    }

    private static IQueryable<Span> In(LlmOpsDb db, Guid experimentId) => experimentId == TrackingKeys.DefaultExperimentId
        ? db.Spans.AsNoTracking().Where(s => !db.LoggedTraces.Any(t => t.TraceId == s.TraceId && t.ExperimentId != experimentId))
        : db.Spans.AsNoTracking().Where(s => db.LoggedTraces.Any(t => t.TraceId == s.TraceId && t.ExperimentId == experimentId));

    private async Task<int> DeleteAsync(LlmOpsDb db, Guid experimentId, string[] ids, Actor actor, CancellationToken ct)
    {
        if (ids.Length == 0)
            return 0;
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        // The files of a trace are named after it, whatever experiment it was in when they were sent.
        string[] roots = [.. ids.Select(id => $"{TrackingKeys.Text(experimentId)}/traces/{TraceKeys.Text(id)}/artifacts")];
        await db.LoggedFiles.Where(f => roots.Contains(f.Root)).ExecuteDeleteAsync(ct);
        await ForgetAsync(db, ids, ct);
        await db.Spans.Where(s => ids.Contains(s.TraceId)).ExecuteDeleteAsync(ct);
        db.Record(actor, "delete-traces", "experiment", experimentId, time.GetUtcNow(), before: new { Count = ids.Length, First = ids[0] });
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
        await hints.ChangedAsync(Areas.Trace, Guid.Empty);
        return ids.Length;
    }

    private static async Task ForgetAsync(LlmOpsDb db, string[] ids, CancellationToken ct)
    {
        await db.Feedback.Where(f => ids.Contains(f.TraceId)).ExecuteDeleteAsync(ct);
        await db.Assessments.Where(a => ids.Contains(a.TraceId)).ExecuteDeleteAsync(ct);
        await db.TraceTags.Where(t => ids.Contains(t.TraceId)).ExecuteDeleteAsync(ct);
        await db.RunTraces.Where(l => ids.Contains(l.TraceId)).ExecuteDeleteAsync(ct);
        await db.LoggedTraces.Where(t => ids.Contains(t.TraceId)).ExecuteDeleteAsync(ct);
    }

    /// <summary>What is left of traces whose spans are gone. What was said a short while ago stays: its spans may be still on their way.</summary>
    internal static async Task ForgetWithoutSpansAsync(LlmOpsDb db, DateTimeOffset now, CancellationToken ct)
    {
        var young = now.AddDays(-1);
        await db.Feedback.Where(f => !db.Spans.Any(s => s.TraceId == f.TraceId)).ExecuteDeleteAsync(ct);
        await db.Assessments.Where(a => a.UpdatedAt < young && !db.Spans.Any(s => s.TraceId == a.TraceId)).ExecuteDeleteAsync(ct);
        await db.TraceTags.Where(t => !db.Spans.Any(s => s.TraceId == t.TraceId) && !db.LoggedTraces.Any(l => l.TraceId == t.TraceId && l.CreatedAt >= young)).ExecuteDeleteAsync(ct);
        await db.RunTraces.Where(l => !db.Spans.Any(s => s.TraceId == l.TraceId)).ExecuteDeleteAsync(ct);
        await db.LoggedTraces.Where(t => t.CreatedAt < young && !db.Spans.Any(s => s.TraceId == t.TraceId)).ExecuteDeleteAsync(ct);
    }
}
