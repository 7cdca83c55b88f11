using System.Collections.Concurrent;
using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Identity;

public sealed record NewToken(ApiToken Token, string Secret);

/// <summary>API tokens: "llmops_" and 256 random bits. A token can do what its scopes and its owner's roles both allow.</summary>
public sealed class ManageTokens
{
    public const string Start = "llmops_";
    /// <summary>How long a token that was looked up is believed, where this process does not hear of a change: a client that logs sends a thousand requests in this time.</summary>
    public static readonly TimeSpan Remembered = TimeSpan.FromSeconds(1);
    private const int MostRemembered = 1000;

    private readonly IDbContextFactory<LlmOpsDb> dbs;
    private readonly ManagePeople people;
    private readonly TimeProvider time;
    private readonly ConcurrentDictionary<string, Known> known = new(StringComparer.Ordinal);
    private int changes;

    public ManageTokens(IDbContextFactory<LlmOpsDb> dbs, ManagePeople people, TimeProvider time)
    {
        (this.dbs, this.people, this.time) = (dbs, people, time);
        people.Changed += Forget;
    }

    private sealed record Known(Actor Actor, DateTimeOffset At, DateTimeOffset? ExpiresAt);

    public async Task<NewToken> CreateAsync(string name, IReadOnlyCollection<Permission> scopes, DateTimeOffset? expiresAt, Actor actor, CancellationToken ct = default)
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
        var secret = Start + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var token = new ApiToken
        {
            Name = name, Prefix = secret[..14], Hash = ManagePeople.Hash(secret), PersonId = actor.Id, Scopes = string.Join(',', scopes.Distinct()),
            CreatedAt = time.GetUtcNow(), ExpiresAt = expiresAt,
        };
        await using var db = await dbs.CreateDbContextAsync(ct);
        db.ApiTokens.Add(token);
        db.Record(actor, "create", "api-token", token.Prefix, token.CreatedAt, after: new { name, token.Scopes });
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

    /// <summary>Who a presented secret is, or null. A disabled owner's tokens stop with the owner.</summary>
    public async Task<Actor?> FindActorAsync(string secret, CancellationToken ct = default)
    {
        if (!secret.StartsWith(Start, StringComparison.Ordinal))
            return null;
        var hash = ManagePeople.Hash(secret);
        var now = time.GetUtcNow();
        if (known.TryGetValue(hash, out var kept) && now - kept.At < Remembered && now >= kept.At && !(kept.ExpiresAt < now))
            return kept.Actor;
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
        var actor = owner with { Permissions = scopes };
        if (known.Count >= MostRemembered)
            known.Clear();
        // What was read before somebody changed something is not kept.
        if (before == Volatile.Read(ref changes))
            known[hash] = new(actor, now, token.ExpiresAt);
        return actor;
    }

    private void Forget()
    {
        Interlocked.Increment(ref changes);
        known.Clear();
    }
}
