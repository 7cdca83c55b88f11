using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Identity;

/// <param name="Search">Part of the subject's id, of the values before or after.</param>
public sealed record AuditFilter(string? Actor = null, string? Subject = null, string? Action = null, string? Search = null, string? SubjectId = null);

public sealed record AuditChoices(IReadOnlyList<string> Actors, IReadOnlyList<string> Subjects, IReadOnlyList<string> Actions);

public sealed class ReadAudit(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>Newest first.</summary>
    public async Task<Window<AuditEntry>> ListAsync(AuditFilter filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var entries = db.Audit.AsNoTracking();
        if (filter.Actor is { Length: > 0 } actor)
            entries = entries.Where(a => a.ActorName == actor);
        if (filter.Subject is { Length: > 0 } subject)
            entries = entries.Where(a => a.Subject == subject);
        if (filter.Action is { Length: > 0 } action)
            entries = entries.Where(a => a.Action == action);
        if (filter.SubjectId is { Length: > 0 } id)
            entries = entries.Where(a => a.SubjectId == id);
        if (!string.IsNullOrWhiteSpace(filter.Search))
        {
            var text = filter.Search.Trim().ToLowerInvariant();
            entries = entries.Where(a => a.SubjectId.ToLower().Contains(text) || a.Before!.ToLower().Contains(text) || a.After!.ToLower().Contains(text));
        }
        return await entries.OrderByDescending(a => a.Id).WindowAsync(skip, take, ct);
    }

    public async Task<AuditChoices> ChoicesAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return new(await db.Audit.Select(a => a.ActorName).Distinct().OrderBy(x => x).ToListAsync(ct),
            await db.Audit.Select(a => a.Subject).Distinct().OrderBy(x => x).ToListAsync(ct),
            await db.Audit.Select(a => a.Action).Distinct().OrderBy(x => x).ToListAsync(ct));
    }
}
