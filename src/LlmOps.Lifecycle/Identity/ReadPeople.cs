using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Identity;

public sealed record PersonRow(Guid Id, string UserName, string DisplayName, bool Disabled, bool HasPassword, DateTimeOffset CreatedAt)
{
    public IReadOnlyList<string> Roles { get; init; } = [];
}

public sealed record TokenRow(Guid Id, string Name, string Prefix, IReadOnlyList<string> Scopes, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt, DateTimeOffset? LastUsedAt, TokenLimits Limits)
{
    /// <summary>"Active", "Revoked" or "Expired".</summary>
    public string StateAt(DateTimeOffset now) => RevokedAt is not null ? "Revoked" : ExpiresAt < now ? "Expired" : "Active";
}

/// <summary>Accounts with their roles, and the tokens of one of them. Hashes are never read.</summary>
public sealed class ReadPeople(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<IReadOnlyList<PersonRow>> ListAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var people = await db.Users.AsNoTracking().OrderBy(u => u.UserName)
            .Select(u => new PersonRow(u.Id, u.UserName!, u.DisplayName, u.Disabled, u.PasswordHash != null, u.CreatedAt)).ToListAsync(ct);
        var roles = (await db.UserRoles.Join(db.Roles, ur => ur.RoleId, r => r.Id, (ur, r) => new { ur.UserId, r.Name }).ToListAsync(ct)).ToLookup(r => r.UserId, r => r.Name!);
        return [.. people.Select(p => p with { Roles = [.. Identity.Roles.All.Where(roles[p.Id].Contains)] })];
    }

    /// <summary>Those that work first, then the newest.</summary>
    public async Task<IReadOnlyList<TokenRow>> TokensAsync(Guid personId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var tokens = await db.ApiTokens.AsNoTracking().Where(t => t.PersonId == personId).OrderBy(t => t.RevokedAt != null).ThenByDescending(t => t.CreatedAt)
            .Select(t => new { t.Id, t.Name, t.Prefix, t.Scopes, t.CreatedAt, t.ExpiresAt, t.RevokedAt, t.LastUsedAt, t.RequestsPerMinute, t.TokensPerMinute, t.Concurrent }).ToListAsync(ct);
        return [.. tokens.Select(t => new TokenRow(t.Id, t.Name, t.Prefix, t.Scopes.Split(','), t.CreatedAt, t.ExpiresAt, t.RevokedAt, t.LastUsedAt, new(t.RequestsPerMinute, t.TokensPerMinute, t.Concurrent)))];
    }
}
