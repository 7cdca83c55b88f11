using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Promotion;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <param name="Id">Of the check.</param>
public sealed record DriftCheckRow(Guid Id, DateTimeOffset At, Verdict Verdict, DriftReport Report);

/// <param name="Policy">Of the watch, or the usual one where there is none.</param>
/// <param name="Watched">Whether the clock looks.</param>
/// <param name="Checks">Newest first.</param>
/// <param name="Incident">The one that is open.</param>
public sealed record DriftState(string Deployment, DriftPolicy Policy, bool Watched, DateTimeOffset? CheckedAt, IReadOnlyList<DriftCheckRow> Checks, Guid? Incident);

public sealed class ReadDrift(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<DriftState> GetAsync(string deployment, int checks = 30, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var id = await db.Deployments.Where(d => d.Name == deployment).Select(d => (Guid?)d.Id).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Deployment", deployment);
        var watch = await db.DriftWatches.AsNoTracking().SingleOrDefaultAsync(w => w.DeploymentId == id, ct);
        var rows = await db.DriftChecks.AsNoTracking().Where(c => c.DeploymentId == id).OrderByDescending(c => c.At).Take(Math.Clamp(checks, 1, WatchDrift.ChecksKept)).ToListAsync(ct);
        return new(deployment, watch is null ? new() : Json.Read<DriftPolicy>(watch.PolicyJson), watch is { Enabled: true }, watch?.CheckedAt, [.. rows.Select(c => new DriftCheckRow(c.Id, c.At, c.Verdict, Json.Read<DriftReport>(c.ReportJson)))],
            await db.Incidents.Where(i => i.DeploymentId == id && i.ResolvedAt == null).Select(i => (Guid?)i.Id).FirstOrDefaultAsync(ct));
    }
}
