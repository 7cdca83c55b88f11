using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

/// <param name="Events">Types of events; "approval.*" and "*" stand for many.</param>
/// <param name="Profile">Null for standard.</param>
/// <param name="Secret">Null for a new one. MLflow's profile takes any text, and "" for messages without a signature.</param>
public sealed record NewWebhook(string Name, string Url, IReadOnlyList<string> Events, string? Profile = null, string? Description = null, string? Secret = null, bool Disabled = false);

/// <summary>What is null stays as it is.</summary>
public sealed record WebhookChange(string? Name = null, string? Url = null, IReadOnlyList<string>? Events = null, string? Profile = null, string? Description = null, bool? Enabled = null);

/// <param name="Secret">Shown this once.</param>
public sealed record WebhookWithSecret(Guid Id, string Name, string Secret);

/// <summary>What administrators do to the endpoints that are told what happens here.</summary>
public sealed class ManageWebhooks(IDbContextFactory<LlmOpsDb> dbs, CallEndpoint call, SecretVault vault, Hints hints, TimeProvider time)
{
    public static readonly TimeSpan DefaultOverlap = TimeSpan.FromHours(24);
    private const int MostSecrets = 5;

    public async Task<WebhookWithSecret> CreateAsync(NewWebhook asked, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        var (name, profile) = (NameOf(asked.Name), WebhookProfiles.Parse(asked.Profile));
        var events = WebhookEvents.Parse(asked.Events, profile);
        call.EnsureUsable(asked.Url);
        var secret = asked.Secret is null ? WebhookSignature.NewSecret() : asked.Secret.Trim();
        EnsureFits(secret, profile);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var endpoint = new WebhookEndpoint
        {
            Name = name, Url = asked.Url.Trim(), Description = asked.Description, EventsJson = Json.Write(events), Profile = profile, SecretsJson = vault.Write(secret.Length == 0 ? [] : [new(secret, now)]),
            State = asked.Disabled ? EndpointState.Disabled : EndpointState.Active, DisabledReason = asked.Disabled ? $"Made so by {actor.Name}." : null, CreatedBy = actor.Name, CreatedAt = now, ChangedAt = now,
        };
        db.WebhookEndpoints.Add(endpoint);
        db.Record(actor, "create", "webhook", name, now, after: new { url = Shown(endpoint.Url), events, profile });
        await SaveAsync(db, name, ct);
        await hints.ChangedAsync(Areas.Webhook, endpoint.Id);
        return new(endpoint.Id, name, secret);
    }

    public async Task ChangeAsync(Guid id, WebhookChange asked, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var endpoint = await GetAsync(db, id, ct);
        var before = new { endpoint.Name, url = Shown(endpoint.Url), endpoint.Description, events = Json.Read<List<string>>(endpoint.EventsJson), endpoint.Profile, endpoint.State };
        var profile = asked.Profile is null ? endpoint.Profile : WebhookProfiles.Parse(asked.Profile);
        var events = WebhookEvents.Parse(asked.Events ?? before.events, profile);
        if (profile != endpoint.Profile)
            foreach (var secret in vault.Read(endpoint.SecretsJson))
                EnsureFits(secret.Secret, profile);
        if (asked.Url is not null)
            call.EnsureUsable(asked.Url);
        endpoint.Name = asked.Name is null ? endpoint.Name : NameOf(asked.Name);
        endpoint.Url = asked.Url?.Trim() ?? endpoint.Url;
        endpoint.Description = asked.Description ?? endpoint.Description;
        (endpoint.Profile, endpoint.EventsJson) = (profile, Json.Write(events));
        if (asked.Enabled is { } enabled)
        {
            (endpoint.State, endpoint.NotBefore) = (enabled ? EndpointState.Active : EndpointState.Disabled, null);
            endpoint.DisabledReason = enabled ? null : $"By {actor.Name}.";
        }
        Touch(endpoint);
        db.Record(actor, "change", "webhook", endpoint.Name, endpoint.ChangedAt, before, new { endpoint.Name, url = Shown(endpoint.Url), endpoint.Description, events, profile, endpoint.State });
        await SaveAsync(db, endpoint.Name, ct);
        await hints.ChangedAsync(Areas.Webhook, id);
    }

    /// <summary>A new secret. The old ones go on signing beside it for a while, so that the receiver can change over in between.</summary>
    /// <param name="overlap">Zero when the old one is known to others: it stops at once.</param>
    public async Task<WebhookWithSecret> RotateSecretAsync(Guid id, TimeSpan? overlap, string? secret, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        var (now, span) = (time.GetUtcNow(), overlap ?? DefaultOverlap);
        if (span < TimeSpan.Zero || span > TimeSpan.FromDays(30))
            throw LlmOpsException.Invalid("Two secrets may sign side by side for 0 to 30 days.");
        var made = secret?.Trim() ?? WebhookSignature.NewSecret();
        await using var db = await dbs.CreateDbContextAsync(ct);
        var endpoint = await GetAsync(db, id, ct);
        EnsureFits(made, endpoint.Profile);
        var kept = (vault.TryRead(endpoint.SecretsJson) ?? []).Where(s => s.Secret != made)
            .Select(s => s with { ExpiresAt = s.ExpiresAt is { } end && end < now + span ? end : now + span }).Where(s => s.ExpiresAt > now).Take(MostSecrets - 1).ToList();
        endpoint.SecretsJson = vault.Write(made.Length == 0 ? kept : [new(made, now), .. kept]);
        Touch(endpoint);
        db.Record(actor, "rotate-secret", "webhook", endpoint.Name, now, after: new { old_secrets = kept.Count, until = kept.Count == 0 ? now : now + span });
        await SaveAsync(db, endpoint.Name, ct);
        await hints.ChangedAsync(Areas.Webhook, id);
        return new(id, endpoint.Name, made);
    }

    /// <summary>Its log goes with it, and what still waits for it.</summary>
    public async Task DeleteAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var endpoint = await GetAsync(db, id, ct);
        db.WebhookEndpoints.Remove(endpoint);
        db.Record(actor, "delete", "webhook", endpoint.Name, time.GetUtcNow(), new { url = Shown(endpoint.Url), endpoint.Profile });
        await SaveAsync(db, endpoint.Name, ct);
        await hints.ChangedAsync(Areas.Webhook, id);
    }

    private void Touch(WebhookEndpoint endpoint)
    {
        endpoint.Revision++;
        endpoint.ChangedAt = time.GetUtcNow();
    }

    private static async Task SaveAsync(LlmOpsDb db, string name, CancellationToken ct)
    {
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateConcurrencyException e)
        {
            throw new LlmOpsException(ErrorCode.ResourceConflict, "Somebody else changed this webhook in this moment. Look at it again, then repeat.", e);
        }
        catch (DbUpdateException e) when (e.IsUniqueViolation())
        {
            throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, $"A webhook is called '{name}' already. Choose another name.", e);
        }
    }

    /// <summary>For the audit log, which more people read than may see a webhook: many receivers take whoever knows the path for a friend. The mark changes when the path does.</summary>
    internal static string Shown(string url) => Uri.TryCreate(url, UriKind.Absolute, out var address) && address.PathAndQuery.Length > 1
        ? $"{address.GetLeftPart(UriPartial.Authority)}/… ({Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(url)).AsSpan(0, 4))})" : url;

    internal static async Task<WebhookEndpoint> GetAsync(LlmOpsDb db, Guid id, CancellationToken ct) =>
        await db.WebhookEndpoints.SingleOrDefaultAsync(e => e.Id == id, ct) ?? throw LlmOpsException.NotFound("Webhook", id);

    private static string NameOf(string? name) => name?.Trim() is { Length: > 0 and <= 200 } text && !text.Any(char.IsControl) ? text : throw LlmOpsException.Invalid("A webhook needs a name of 1 to 200 characters.");

    private static void EnsureFits(string secret, string profile)
    {
        if (profile != WebhookProfiles.Mlflow)
            WebhookSignature.Key(secret);
        else if (secret.Length > 1000)
            throw LlmOpsException.Invalid("The secret is longer than 1,000 characters.");
    }
}
