using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>What people do about a regression. Those who run things and those who release them may both say that they look at it.</summary>
public sealed class HandleIncident(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public static string? Objection(Actor actor) => actor.May(Permission.RunPipelines) || actor.May(Permission.Approve) ? null : "It needs the permission to run pipelines or to approve.";

    public async Task AcknowledgeAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        Require(actor);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var incident = await OpenAsync(db, id, ct);
        if (incident.AcknowledgedBy is { } by)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{by} has acknowledged this incident already.");
        incident.AcknowledgedBy = actor.Name;
        incident.AcknowledgedAt = time.GetUtcNow();
        db.Record(actor, "acknowledge", "incident", id, incident.AcknowledgedAt.Value);
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, id);
    }

    /// <param name="note">What it was and what was done: a reader of the history has nothing else.</param>
    public async Task ResolveAsync(Guid id, string note, Actor actor, CancellationToken ct = default)
    {
        Require(actor);
        if (string.IsNullOrWhiteSpace(note))
            throw LlmOpsException.Invalid("The note is missing. Say what it was and what was done.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var incident = await OpenAsync(db, id, ct);
        incident.ResolvedBy = actor.Name;
        incident.ResolvedAt = time.GetUtcNow();
        incident.Note = incident.Note is null ? note.Trim() : $"{incident.Note}\n{note.Trim()}";
        db.Record(actor, "resolve", "incident", id, incident.ResolvedAt.Value, after: new { note = note.Trim() });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, id);
    }

    private static void Require(Actor actor)
    {
        if (Objection(actor) is not null)
            actor.Require(Permission.RunPipelines);
    }

    private static async Task<Incident> OpenAsync(LlmOpsDb db, Guid id, CancellationToken ct)
    {
        var incident = await db.Incidents.SingleOrDefaultAsync(i => i.Id == id, ct) ?? throw LlmOpsException.NotFound("Incident", id);
        return incident.ResolvedAt is null ? incident : throw new LlmOpsException(ErrorCode.ResourceConflict, $"This incident was resolved by {incident.ResolvedBy}.");
    }
}
