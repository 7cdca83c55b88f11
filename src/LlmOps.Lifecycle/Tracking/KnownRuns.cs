using System.Collections.Concurrent;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>Runs that may be logged to, remembered for a second: a client that logs a curve must not have its run looked up for every point.</summary>
public sealed class KnownRuns(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    private const int Most = 10_000;
    private static readonly TimeSpan Holds = TimeSpan.FromSeconds(1);

    private sealed record Known(Guid ExperimentId, long At);

    private readonly ConcurrentDictionary<Guid, Known> runs = new();

    /// <returns>The run's experiment.</returns>
    /// <exception cref="LlmOpsException">There is no such run, or it is deleted.</exception>
    public ValueTask<Guid> ExperimentOfAsync(Guid runId, CancellationToken ct) =>
        runs.TryGetValue(runId, out var known) && time.GetElapsedTime(known.At) < Holds ? new(known.ExperimentId) : new(FindAsync(runId, ct));

    private async Task<Guid> FindAsync(Guid runId, CancellationToken ct)
    {
        var now = time.GetTimestamp();
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await db.Runs.AsNoTracking().Where(r => r.Id == runId).Select(r => new { r.ExperimentId, IsDeleted = r.DeletedAt != null }).SingleOrDefaultAsync(ct) ?? throw ChangeRun.NotFound(runId);
        if (run.IsDeleted)
            throw ChangeRun.Deleted(runId);
        if (runs.Count >= Most)
            runs.Clear();
        runs[runId] = new(run.ExperimentId, now);
        return run.ExperimentId;
    }

    /// <summary>After something was deleted, so that this process refuses at once what other processes refuse within a second.</summary>
    public void Forget() => runs.Clear();
}
