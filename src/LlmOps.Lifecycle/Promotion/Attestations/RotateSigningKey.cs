using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion.Attestations;

/// <summary>
/// Puts a new signing key in force and retires the old one, whose public half stays so that what it signed can be checked. The private key of the data folder is made
/// anew; one that a setting gives is taken as it is now.
/// </summary>
public sealed class RotateSigningKey(IDbContextFactory<LlmOpsDb> dbs, AttestationKeys keys, TimeProvider time)
{
    public async Task<SigningKey> RotateAsync(Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        await AttestationKeys.LockAsync(db, ct);
        var now = time.GetUtcNow();
        var retired = await db.SigningKeys.Where(k => k.RetiredAt == null).ToListAsync(ct);
        using var key = await keys.NextAsync(db, ct);
        foreach (var old in retired)
            old.RetiredAt = now;
        var made = await AttestationKeys.PublishAsync(db, key, "rotate", actor, retired.Count == 0 ? null : string.Join(", ", retired.Select(k => k.KeyId)), now, ct);
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
        // Killed before this line, the old private key stays until the next rotation; the database says already that it is retired, so nothing is signed with it.
        keys.KeepOnly(made.KeyId);
        return made;
    }
}
