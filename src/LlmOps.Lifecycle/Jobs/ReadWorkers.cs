using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Jobs;

public sealed record WorkerRow(Guid Id, string Name, string Host, int ProcessId, int Slots, string Provides, long MemoryBytes, DateTimeOffset StartedAt, DateTimeOffset HeartbeatAt, DateTimeOffset? StoppedAt)
{
    /// <summary>Heartbeats come every few seconds; one that is older than this means that nobody is there.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public IReadOnlyList<JobRow> Running { get; init; } = [];

    /// <summary>"Alive", "Lost" or "Stopped".</summary>
    public string StateAt(DateTimeOffset now) => StoppedAt is not null ? "Stopped" : now - HeartbeatAt > Patience ? "Lost" : "Alive";
}

public sealed class ReadWorkers(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>Those that may be alive first, then the newest of the others.</summary>
    public async Task<IReadOnlyList<WorkerRow>> ListAsync(int take = 100, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var workers = await db.Workers.AsNoTracking().OrderBy(w => w.StoppedAt != null).ThenByDescending(w => w.HeartbeatAt).Take(take)
            .Select(w => new WorkerRow(w.Id, w.Name, w.Host, w.ProcessId, w.Slots, w.Provides, w.MemoryBytes, w.StartedAt, w.HeartbeatAt, w.StoppedAt)).ToListAsync(ct);
        var running = await ReadJobs.Rows(db, db.Jobs.AsNoTracking().Where(j => j.State == JobState.Running)).ToListAsync(ct);
        var byWorker = running.ToLookup(j => j.WorkerId);
        return [.. workers.Select(w => w with { Running = [.. byWorker[w.Id].OrderBy(j => j.StartedAt)] })];
    }
}
