using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>
/// Newest values that are not written yet. A run that is under way logs the same metrics again and again: writing the newest value with every point would cost
/// more than the points. So it is written a few times a second, and before anybody of this process reads or changes the run. A crash in between loses no point,
/// and what the newest values of running runs are is worked out from their points when the server starts.
/// </summary>
internal sealed class NewestValues
{
    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<(Guid Run, string Key), PointRow> pending = [];

    public int Count => pending.Count;

    public void Add(List<PointRow> points)
    {
        foreach (var point in points)
        {
            ref var row = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(pending, (point.RunId, point.Key), out var known);
            if (!known || (row.At, row.Step, row.Value).CompareTo((point.At, point.Step, point.Value)) < 0)
                row = point;
        }
    }

    /// <summary>In one order everywhere: two processes that write to one run then wait for each other instead of locking each other out.</summary>
    public List<PointRow> Rows() => [.. pending.Values.OrderBy(p => p.RunId).ThenBy(p => p.Key, StringComparer.Ordinal)];

    public void Clear() => pending.Clear();
}

/// <summary>Works out the newest values of the runs that were under way when the server ended, in case it ended without writing them.</summary>
public sealed class SettleNewestValues(IDbContextFactory<LlmOpsDb> dbs, WriteGroups groups) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => SettleAsync(stoppingToken);

    /// <summary>A server that is asked to end writes them itself.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await groups.SettleAsync(cancellationToken);
        await base.StopAsync(cancellationToken);
    }

    public async Task SettleAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var running = await db.Runs.AsNoTracking().Where(r => r.JobId == null && r.DeletedAt == null && r.State == RunState.Running).Select(r => new { r.Id, r.ExperimentId }).ToListAsync(ct);
        foreach (var run in running)
        {
            var newest = await db.Metrics.AsNoTracking().Where(m => m.RunId == run.Id).GroupBy(m => m.Key)
                .Select(g => g.OrderByDescending(m => m.At).ThenByDescending(m => m.Step).ThenByDescending(m => m.Value).First()).ToListAsync(ct);
            if (newest.Count == 0)
                continue;
            await using var transaction = await db.Database.BeginTransactionAsync(ct);
            await WritePoints.WriteNewestAsync(db, [.. newest.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => new PointRow(run.Id, run.ExperimentId, m.Key, m.Step, m.At.ToUnixTimeMilliseconds(), m.Value, m.IsNan))], ct);
            await transaction.CommitAsync(ct);
        }
    }
}
