using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Data;

/// <summary>
/// Appends audit entries to their chain inside the transaction of the change they describe. The chain has one end, so whoever appends holds the lock on
/// its row until the commit; it is taken last, after all other rows are written, so that nobody waits for anything else while holding it.
/// </summary>
internal static class AuditAppend
{
    private const string FirstHead = $"INSERT INTO audit_head (\"Id\", \"Sequence\", \"Hash\") VALUES (1, 0, '{AuditChain.Start}') ON CONFLICT DO NOTHING";

    public static async Task<int> SaveAsync(LlmOpsDb db, Func<Task<int>> save, CancellationToken ct)
    {
        var added = db.ChangeTracker.Entries<AuditEntry>().Where(e => e.State == EntityState.Added).Select(e => e.Entity).ToList();
        if (added.Count == 0)
            return await save();
        await using var own = db.Database.CurrentTransaction is null ? await db.Database.BeginTransactionAsync(ct) : null;
        foreach (var entry in added)
            db.Entry(entry).State = EntityState.Detached;
        // A context whose save failed is not saved again: a retry starts on a fresh one (UniqueViolation.RetryAsync).
        var saved = await save();
        await ChainAsync(db, added, ct);
        db.Audit.AddRange(added);
        saved += await save();
        if (own is not null)
            await own.CommitAsync(ct);
        return saved;
    }

    /// <summary>Entries from before there was a chain, in the order they were written. Runs at each start and finds nothing but once.</summary>
    public static async Task ChainOldAsync(LlmOpsDb db, CancellationToken ct)
    {
        await db.Database.ExecuteSqlRawAsync(FirstHead, ct);
        if (await db.AuditHeads.AnyAsync(h => h.Sequence > 0, ct))
            return;
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        // The lock first: of two processes that start at once, the second finds the chain.
        await db.AuditHeads.Where(h => h.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(h => h.Sequence, h => h.Sequence), ct);
        if (await db.Audit.AnyAsync(a => a.Sequence != null, ct))
            return;
        var old = await db.Audit.OrderBy(a => a.Id).ToListAsync(ct);
        if (old.Count == 0)
            return;
        await ChainAsync(db, old, ct);
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
    }

    private static async Task ChainAsync(LlmOpsDb db, List<AuditEntry> entries, CancellationToken ct)
    {
        var locked = await db.AuditHeads.Where(h => h.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(h => h.Sequence, h => h.Sequence + entries.Count), ct);
        if (locked == 0)
        {
            await db.Database.ExecuteSqlRawAsync(FirstHead, ct);
            await db.AuditHeads.Where(h => h.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(h => h.Sequence, h => h.Sequence + entries.Count), ct);
        }
        var head = await db.AuditHeads.AsNoTracking().SingleAsync(h => h.Id == 1, ct);
        var (sequence, previous) = (head.Sequence - entries.Count, head.Hash);
        foreach (var entry in entries)
        {
            AuditChain.Append(entry, ++sequence, previous);
            previous = entry.Hash!;
        }
        await db.AuditHeads.Where(h => h.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(h => h.Hash, previous), ct);
    }
}
