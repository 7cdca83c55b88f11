using System.Collections.Concurrent;
using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Identity;

public sealed record NewToken(ApiToken Token, string Secret);

/// <summary>A token that was presented: who acts by it, and how much of the models it may have.</summary>
public sealed record PresentedToken(Guid Id, Actor Actor, TokenLimits Limits);

/// <summary>API tokens: "llmops_" and 256 random bits. A token can do what its scopes and its owner's roles both allow.</summary>
public sealed class ManageTokens
{
    public const string Start = "llmops_";
    /// <summary>How long a token that was looked up is believed, where this process does not hear of a change: a client that logs sends a thousand requests in this time.</summary>
    public static readonly TimeSpan Remembered = TimeSpan.FromSeconds(1);
    private const int MostRemembered = 1000;

    private readonly IDbContextFactory<LlmOpsDb> dbs;
    private readonly ManagePeople people;
    private readonly TokenLimits server;
    private readonly TimeProvider time;
    private readonly ConcurrentDictionary<string, Known> known = new(StringComparer.Ordinal);
    private int changes;

    public ManageTokens(IDbContextFactory<LlmOpsDb> dbs, ManagePeople people, TokenLimits server, TimeProvider time)
    {
        (this.dbs, this.people, this.server, this.time) = (dbs, people, server, time);
        people.Changed += Forget;
    }

    private sealed record Known(PresentedToken Token, DateTimeOffset At, DateTimeOffset? ExpiresAt);

    public async Task<NewToken> CreateAsync(string name, IReadOnlyCollection<Permission> scopes, DateTimeOffset? expiresAt, Actor actor, TokenLimits? limits = null, CancellationToken ct = default)
    {
        // A viewer changes nothing, and a token is a way in that outlives the session. A token that only reads makes no others either.
        if (actor.Permissions.All(p => p == Permission.Read))
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"{actor.Name} only reads and makes no tokens. An administrator can give a role that does more under Settings.");
        if (string.IsNullOrWhiteSpace(name) || name.Length > 100)
            throw LlmOpsException.Invalid("Give the token a name of at most 100 characters, so that you know later what it is for.");
        if (scopes.Count == 0)
            throw LlmOpsException.Invalid("Choose at least one permission for the token.");
        if (scopes.FirstOrDefault(s => !actor.May(s)) is var missing && scopes.Any(s => !actor.May(s)))
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"A token cannot do more than you: you lack {missing}.");
        (limits ?? TokenLimits.None).Ensure(server, actor);
        var secret = Start + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var token = new ApiToken
        {
            Name = name, Prefix = secret[..14], Hash = ManagePeople.Hash(secret), PersonId = actor.Id, Scopes = string.Join(',', scopes.Distinct()),
            CreatedAt = time.GetUtcNow(), ExpiresAt = expiresAt,
        };
        token.SetLimits(limits ?? TokenLimits.None);
        await using var db = await dbs.CreateDbContextAsync(ct);
        db.ApiTokens.Add(token);
        db.Record(actor, "create", "api-token", token.Prefix, token.CreatedAt, after: limits is null ? new { name, token.Scopes } : new { name, token.Scopes, limits });
        await db.SaveChangesAsync(ct);
        return new(token, secret);
    }

    public async Task RevokeAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var token = await db.ApiTokens.SingleOrDefaultAsync(t => t.Id == id, ct) ?? throw LlmOpsException.NotFound("Token", id);
        if (token.PersonId != actor.Id)
            actor.Require(Permission.Administer);
        token.RevokedAt ??= time.GetUtcNow();
        db.Record(actor, "revoke", "api-token", token.Prefix, time.GetUtcNow());
        await db.SaveChangesAsync(ct);
        Forget();
    }

    /// <summary>Sets how much the token may ask of the models, from now on; all three at once.</summary>
    public async Task LimitAsync(Guid id, TokenLimits limits, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var token = await db.ApiTokens.SingleOrDefaultAsync(t => t.Id == id, ct) ?? throw LlmOpsException.NotFound("Token", id);
        if (token.PersonId != actor.Id)
            actor.Require(Permission.Administer);
        else if (actor.Permissions.All(p => p == Permission.Read))
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"{actor.Name} only reads and changes no tokens.");
        limits.Ensure(server, actor);
        var before = token.ReadLimits();
        // Otherwise an owner would take back what an administrator narrowed.
        if (!actor.May(Permission.Administer) && token.LimitedByAdministrator)
            throw new LlmOpsException(ErrorCode.PermissionDenied, $"An administrator set the limits of {token.Name}; only one can change them.");
        token.SetLimits(limits);
        token.LimitedByAdministrator = actor.May(Permission.Administer) && limits != TokenLimits.None;
        db.Record(actor, "limit", "api-token", token.Prefix, time.GetUtcNow(), before, limits);
        await db.SaveChangesAsync(ct);
        Forget();
    }

    /// <summary>Who a presented secret is, or null. A disabled owner's tokens stop with the owner.</summary>
    public async Task<PresentedToken?> FindAsync(string secret, CancellationToken ct = default)
    {
        if (!secret.StartsWith(Start, StringComparison.Ordinal))
            return null;
        var hash = ManagePeople.Hash(secret);
        var now = time.GetUtcNow();
        if (known.TryGetValue(hash, out var kept) && now - kept.At < Remembered && now >= kept.At && !(kept.ExpiresAt < now))
            return kept.Token;
        var before = Volatile.Read(ref changes);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var token = await db.ApiTokens.SingleOrDefaultAsync(t => t.Hash == hash && t.RevokedAt == null, ct);
        if (token is null || token.ExpiresAt < now || await people.FindActorAsync(token.PersonId, ct) is not { } owner)
            return null;
        if (token.LastUsedAt is null || now - token.LastUsedAt > TimeSpan.FromMinutes(1))
        {
            token.LastUsedAt = now;
            await db.SaveChangesAsync(ct);
        }
        var scopes = token.Scopes.Split(',').Select(Enum.Parse<Permission>).Where(owner.May).ToHashSet();
        var presented = new PresentedToken(token.Id, owner with { Permissions = scopes }, token.ReadLimits());
        if (known.Count >= MostRemembered)
            known.Clear();
        // What was read before somebody changed something is not kept.
        if (before == Volatile.Read(ref changes))
            known[hash] = new(presented, now, token.ExpiresAt);
        return presented;
    }

    private void Forget()
    {
        Interlocked.Increment(ref changes);
        known.Clear();
    }
}
