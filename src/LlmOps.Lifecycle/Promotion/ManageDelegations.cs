using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Who may decide names, for some days, somebody who signs in their place.</summary>
public sealed class ManageDelegations(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    public const int MostDays = 90;

    /// <summary>What is wrong with the days and the reason, each at its field ("ends_at", "reason"); empty when nothing is.</summary>
    public static IReadOnlyList<(string Field, string Text)> Problems(DateTimeOffset startsAt, DateTimeOffset endsAt, string reason, DateTimeOffset now)
    {
        var found = new List<(string, string)>();
        if (endsAt <= startsAt || endsAt <= now || endsAt - startsAt > TimeSpan.FromDays(MostDays))
            found.Add(("ends_at", $"A delegation ends after it starts and after now, and lasts {MostDays} days at most."));
        if (string.IsNullOrWhiteSpace(reason))
            found.Add(("reason", "Say why somebody else signs in your place."));
        return found;
    }

    public async Task<Delegation> CreateAsync(string toUserName, DateTimeOffset startsAt, DateTimeOffset endsAt, string reason, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Approve);
        var now = time.GetUtcNow();
        if (Problems(startsAt, endsAt, reason, now) is [var first, ..])
            throw LlmOpsException.Invalid(first.Text);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var to = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.UserName == toUserName && !u.Disabled, ct) ?? throw LlmOpsException.NotFound("Person", toUserName);
        if (to.Id == actor.Id)
            throw LlmOpsException.Invalid("You cannot delegate to yourself. Name somebody else.");
        if ((await ManagePeople.RolesOfAsync(db, to.Id, ct)).All(r => Roles.PermissionsOf(r).All(p => p == Permission.Read)))
            throw LlmOpsException.Invalid($"{to.UserName} may only look. Name somebody with another role than {Roles.Viewer}.");
        var made = new Delegation { FromId = actor.Id, FromName = actor.Name, ToId = to.Id, ToName = to.UserName!, StartsAt = startsAt, EndsAt = endsAt, Reason = reason.Trim(), CreatedAt = now };
        db.Delegations.Add(made);
        db.Record(actor, "delegate", "delegation", made.Id, now, after: new { to = made.ToName, made.StartsAt, made.EndsAt, made.Reason });
        await db.SaveChangesAsync(ct);
        return made;
    }

    public async Task RevokeAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var found = await db.Delegations.SingleOrDefaultAsync(d => d.Id == id, ct) ?? throw LlmOpsException.NotFound("Delegation", id);
        if (found.FromId != actor.Id)
            actor.Require(Permission.Administer);
        if (found.RevokedAt is not null)
            return;
        found.RevokedAt = time.GetUtcNow();
        db.Record(actor, "revoke", "delegation", id, found.RevokedAt.Value, new { found.EndsAt }, new { found.RevokedAt });
        await db.SaveChangesAsync(ct);
    }
}
