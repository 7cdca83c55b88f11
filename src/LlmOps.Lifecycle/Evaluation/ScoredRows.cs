using System.Collections.Concurrent;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>
/// Columns of finished runs, kept in memory: paging through the differences of two runs asks for the same ones again and again.
/// A run that is still going, or that was continued, has another stamp and is read again.
/// </summary>
public sealed class ScoredRows(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>Rows kept in all; about 100 bytes each.</summary>
    private const int Most = 2_000_000;
    private readonly ConcurrentDictionary<(Guid Run, string Task, JobState State, DateTimeOffset? Ended), Lazy<Task<ScoredColumns>>> kept = new();

    internal async Task<ScoredColumns> ReadAsync(EvaluationRun run, string task, bool details, CancellationToken ct)
    {
        if (run.State != JobState.Succeeded)
            return await FromDatabaseAsync(run, task, details, ct);
        var key = (run.Id, task, run.State, run.EndedAt);
        if (!kept.ContainsKey(key) && kept.Values.Where(v => v.IsValueCreated && v.Value.IsCompletedSuccessfully).Sum(v => v.Value.Result.Count) > Most)
            kept.Clear();
        // not the caller's token: another caller may wait for the same columns
        var read = kept.GetOrAdd(key, _ => new(() => FromDatabaseAsync(run, task, details, CancellationToken.None)));
        try
        {
            return await read.Value.WaitAsync(ct);
        }
        catch when (read.Value.IsFaulted)
        {
            kept.TryRemove(new(key, read));
            throw;
        }
    }

    private async Task<ScoredColumns> FromDatabaseAsync(EvaluationRun run, string task, bool details, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (run.State == JobState.Succeeded && await db.PackedColumns.AsNoTracking().Where(p => p.EvaluationRunId == run.Id && p.Task == task && p.EndedAt == run.EndedAt).Select(p => p.Bytes).SingleOrDefaultAsync(ct) is { } packed
            && await Task.Run(() => ColumnPacking.Unpack(packed), ct) is { } columns)
            return columns;
        return await ScoredColumns.ReadAsync(db, run.Id, task, details, ct);
    }
}
