using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

public sealed record IncidentRow(Guid Id, string Title, Guid? ScheduleId, Guid? EvaluationRunId, Guid? BaselineRunId, DateTimeOffset OpenedAt, string? AcknowledgedBy, DateTimeOffset? AcknowledgedAt, string? ResolvedBy,
    DateTimeOffset? ResolvedAt, string? Note, IncidentDetail Detail)
{
    /// <summary>Of the deployment that drifted; null for a regression.</summary>
    public Guid? DeploymentId { get; init; }
    public string State => ResolvedAt is not null ? "Resolved" : AcknowledgedAt is not null ? "Acknowledged" : "Open";
}

/// <summary>Regressions that somebody has to look at, and those that were.</summary>
public sealed class ReadIncidents(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>Open ones first, then newest first.</summary>
    public async Task<IReadOnlyList<IncidentRow>> ListAsync(bool openOnly = false, int take = 200, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rows = db.Incidents.AsNoTracking().Where(i => !openOnly || i.ResolvedAt == null);
        return [.. (await rows.OrderBy(i => i.ResolvedAt != null).ThenByDescending(i => i.OpenedAt).Take(take).ToListAsync(ct)).Select(Row)];
    }

    public async Task<IncidentRow> GetAsync(Guid id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return Row(await db.Incidents.AsNoTracking().SingleOrDefaultAsync(i => i.Id == id, ct) ?? throw LlmOpsException.NotFound("Incident", id));
    }

    private static IncidentRow Row(Incident i) =>
        new(i.Id, i.Title, i.ScheduleId, i.EvaluationRunId, i.BaselineRunId, i.OpenedAt, i.AcknowledgedBy, i.AcknowledgedAt, i.ResolvedBy, i.ResolvedAt, i.Note, Json.Read<IncidentDetail>(i.DetailJson)) { DeploymentId = i.DeploymentId };
}
