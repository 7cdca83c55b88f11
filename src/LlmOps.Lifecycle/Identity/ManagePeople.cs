using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Identity;

/// <summary>Accounts and roles. Identity's own hasher makes the password hashes; the rows and the audit entry are saved together.</summary>
public sealed class ManagePeople(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    public const int ShortestPassword = 12;
    private static readonly PasswordHasher<Person> Hasher = new();

    public async Task<Person> CreateAsync(string userName, string displayName, string? password, IReadOnlyCollection<string> roles, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        return await CreateUncheckedAsync(userName, displayName, password, roles, actor, ct);
    }

    internal async Task<Person> CreateUncheckedAsync(string userName, string displayName, string? password, IReadOnlyCollection<string> roles, Actor actor, CancellationToken ct)
    {
        if (!System.Text.RegularExpressions.Regex.IsMatch(userName, "^[a-z0-9][a-z0-9._@-]{1,63}$"))
            throw LlmOpsException.Invalid("A user name has 2 to 64 lower-case letters, digits, dots, dashes, underscores or @.");
        if (roles.FirstOrDefault(r => !Roles.All.Contains(r)) is { } unknown)
            throw LlmOpsException.Invalid($"'{unknown}' is no role. Roles: {string.Join(", ", Roles.All)}.");
        if (password is not null)
            EnsurePassword(password);
        // Two people made at once may both add a role that nobody had before, or take the same name: the second attempt sees the first one's rows.
        return await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            if (await db.Users.AnyAsync(u => u.NormalizedUserName == userName.ToUpperInvariant(), ct))
                throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, $"Somebody is called '{userName}' already. Choose another user name.");
            var now = time.GetUtcNow();
            var person = new Person
            {
                Id = Guid.CreateVersion7(), UserName = userName, NormalizedUserName = userName.ToUpperInvariant(), DisplayName = displayName, CreatedAt = now,
                SecurityStamp = Guid.NewGuid().ToString("N"), LockoutEnabled = true,
            };
            if (password is not null)
                person.PasswordHash = Hasher.HashPassword(person, password);
            db.Users.Add(person);
            await SetRolesAsync(db, person.Id, roles, ct);
            db.Record(actor, "create", "person", userName, now, after: new { roles });
            await db.SaveChangesAsync(ct);
            return person;
        });
    }

    /// <summary>Somebody may do other things than before, as far as this process knows.</summary>
    internal event Action? Changed;

    public async Task ChangeAsync(Guid personId, IReadOnlyCollection<string> roles, bool disabled, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        if (roles.FirstOrDefault(r => !Roles.All.Contains(r)) is { } unknown)
            throw LlmOpsException.Invalid($"'{unknown}' is no role. Roles: {string.Join(", ", Roles.All)}.");
        if (personId == actor.Id && (disabled || !roles.Contains(Roles.Admin)))
            throw new LlmOpsException(ErrorCode.ResourceConflict, "You cannot take your own administration away: another administrator has to.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var person = await db.Users.SingleOrDefaultAsync(u => u.Id == personId, ct) ?? throw LlmOpsException.NotFound("Person", personId);
        var before = new { roles = await RolesOfAsync(db, personId, ct), person.Disabled };
        await SetRolesAsync(db, personId, roles, ct);
        person.Disabled = disabled;
        person.SecurityStamp = Guid.NewGuid().ToString("N");     // open sessions end at their next check
        db.Record(actor, "change", "person", person.UserName!, time.GetUtcNow(), before, new { roles, disabled });
        await db.SaveChangesAsync(ct);
        Changed?.Invoke();
    }

    public async Task<Actor?> FindActorAsync(Guid personId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var person = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Id == personId && !u.Disabled, ct);
        return person is null ? null : Actor.WithRoles(person.Id, person.UserName!, await RolesOfAsync(db, personId, ct));
    }

    public async Task<Actor?> FindActorAsync(string userName, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var id = await db.Users.Where(u => u.NormalizedUserName == userName.ToUpperInvariant()).Select(u => (Guid?)u.Id).SingleOrDefaultAsync(ct);
        return id is null ? null : await FindActorAsync(id.Value, ct);
    }

    /// <summary>A link that lets its owner choose a password once. Only its hash is stored.</summary>
    public async Task<string> CreateSetupTokenAsync(Guid personId, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        db.SetupLinks.Add(new SetupLink { PersonId = personId, Hash = Hash(token), ExpiresAt = now.AddDays(1) });
        db.Record(actor, "create", "setup-link", personId, now);
        await db.SaveChangesAsync(ct);
        return token;
    }

    public async Task<Person> UseSetupTokenAsync(string token, string password, CancellationToken ct = default)
    {
        EnsurePassword(password);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var hash = Hash(token);
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        var owner = await db.SetupLinks.Where(l => l.Hash == hash && l.UsedAt == null && l.ExpiresAt >= now).Select(l => (Guid?)l.PersonId).SingleOrDefaultAsync(ct);
        // All open links of the person are used up with this one: each start without a password prints another. The guarded update lets
        // one of two requests with the same link win.
        if (owner is null || await db.SetupLinks.Where(l => l.PersonId == owner && l.UsedAt == null).ExecuteUpdateAsync(s => s.SetProperty(l => l.UsedAt, now), ct) == 0)
            throw new LlmOpsException(ErrorCode.PermissionDenied, "This link was used already or has expired. Restart the server to get a new one on its console.");
        var person = await db.Users.SingleAsync(u => u.Id == owner, ct);
        person.PasswordHash = Hasher.HashPassword(person, password);
        person.SecurityStamp = Guid.NewGuid().ToString("N");
        db.Record(new Actor(person.Id, person.UserName!, new HashSet<Permission>()), "set-password", "person", person.UserName!, now);
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
        return person;
    }

    public static async Task<IReadOnlyList<string>> RolesOfAsync(LlmOpsDb db, Guid personId, CancellationToken ct) =>
        await db.UserRoles.Where(r => r.UserId == personId).Join(db.Roles, r => r.RoleId, r => r.Id, (_, role) => role.Name!).ToListAsync(ct);

    internal static string Hash(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    private static void EnsurePassword(string password)
    {
        if (password.Length < ShortestPassword)
            throw LlmOpsException.Invalid($"A password has at least {ShortestPassword} characters.");
    }

    private static async Task SetRolesAsync(LlmOpsDb db, Guid personId, IReadOnlyCollection<string> roles, CancellationToken ct)
    {
        var rows = await db.Roles.ToListAsync(ct);
        db.UserRoles.RemoveRange(await db.UserRoles.Where(r => r.UserId == personId).ToListAsync(ct));
        foreach (var name in roles.Distinct())
        {
            var role = rows.FirstOrDefault(r => r.Name == name);
            if (role is null)
                db.Roles.Add(role = new IdentityRole<Guid>(name) { Id = Guid.CreateVersion7(), NormalizedName = name.ToUpperInvariant() });
            db.UserRoles.Add(new IdentityUserRole<Guid> { UserId = personId, RoleId = role.Id });
        }
    }
}
