using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>
/// Saves a change with the deliveries that tell of it. Who listens was looked up before: an endpoint that somebody deleted since then is told nothing, and what happened
/// is saved all the same.
/// </summary>
internal static class AnnouncedSave
{
    public static async Task<int> SaveAsync(LlmOpsDb db, Func<Task<int>> save, CancellationToken ct)
    {
        var told = db.ChangeTracker.Entries<WebhookDelivery>().Where(e => e.State == EntityState.Added).ToList();
        if (told.Count == 0)
            return await save();
        await using var own = db.Database.CurrentTransaction is null ? await db.Database.BeginTransactionAsync(ct) : null;
        // SQLite has one writer, who is this one now; PostgreSQL is asked to let nobody delete them until the commit.
        var there = await db.WebhookEndpoints.FromSqlRaw(db.Database.IsSqlite() ? "SELECT * FROM webhook_endpoints" : "SELECT * FROM webhook_endpoints FOR KEY SHARE").AsNoTracking().ToListAsync(ct);
        foreach (var delivery in told.Where(d => there.All(e => e.Id != d.Entity.EndpointId) && db.Entry(d.Entity).Reference(x => x.Endpoint).TargetEntry is not { State: EntityState.Added }))
            delivery.State = EntityState.Detached;
        var saved = await save();
        if (own is not null)
            await own.CommitAsync(ct);
        return saved;
    }
}
