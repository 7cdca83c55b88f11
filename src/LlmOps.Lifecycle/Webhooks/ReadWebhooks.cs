using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

/// <param name="Secrets">When each was made and when it stops signing, newest first. The secrets themselves are never read.</param>
/// <param name="Waiting">Deliveries that wait; those of the last seven days that arrived and failed.</param>
public sealed record WebhookRow(Guid Id, string Name, string Url, string? Description, IReadOnlyList<string> Events, string Profile, EndpointState State, string? DisabledReason, DateTimeOffset? NotBefore,
    IReadOnlyList<SecretRow> Secrets, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset ChangedAt, int Waiting, int Delivered, int Failed, DateTimeOffset? LastDelivered);

public sealed record SecretRow(DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt);

/// <param name="MessageId">What the receiver sees as webhook-id.</param>
public sealed record DeliveryRow(Guid Id, string MessageId, string Type, string Subject, bool IsTest, DeliveryState State, int Attempts, DateTimeOffset? NotBefore, int? LastStatus, string? Error, DateTimeOffset CreatedAt, DateTimeOffset? EndedAt);

public sealed record AttemptRow(int Number, DateTimeOffset At, int DurationMs, int? Status, string? Response, string? Error);

/// <param name="Body">What is sent, byte for byte; the same on each attempt.</param>
public sealed record DeliveryDetail(Guid EndpointId, DeliveryRow Delivery, string ContentType, string Body, IReadOnlyList<AttemptRow> Attempts);

/// <summary>Endpoints, and the log of what they were told.</summary>
public sealed class ReadWebhooks(IDbContextFactory<LlmOpsDb> dbs, WebhookSettings settings, SecretVault vault, TimeProvider time)
{
    public async Task<IReadOnlyList<WebhookRow>> ListAsync(Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await RowsAsync(db, await db.WebhookEndpoints.AsNoTracking().OrderBy(e => e.Name).ToListAsync(ct), ct);
    }

    public async Task<WebhookRow> GetAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        return (await RowsAsync(db, [await db.WebhookEndpoints.AsNoTracking().SingleOrDefaultAsync(e => e.Id == id, ct) ?? throw LlmOpsException.NotFound("Webhook", id)], ct))[0];
    }

    /// <summary>Newest first.</summary>
    public async Task<Window<DeliveryRow>> DeliveriesAsync(Guid endpointId, DeliveryState? state, ListQuery query, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var window = await db.WebhookDeliveries.AsNoTracking().Where(d => d.EndpointId == endpointId && (state == null || d.State == state)
                && (query.Needle == "" || d.Type.ToLower().Contains(query.Needle) || d.Subject.ToLower().Contains(query.Needle)))
            .OrderByDescending(d => d.CreatedAt).ThenByDescending(d => d.Id).WindowAsync(query.Skip, query.Take, ct);
        return new([.. window.Rows.Select(Row)], window.Total);
    }

    public async Task<DeliveryDetail> DeliveryAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var delivery = await db.WebhookDeliveries.AsNoTracking().Include(d => d.Endpoint).SingleOrDefaultAsync(d => d.Id == id, ct) ?? throw LlmOpsException.NotFound("Delivery", id);
        var attempts = await db.WebhookAttempts.AsNoTracking().Where(a => a.DeliveryId == id).OrderBy(a => a.Number).Select(a => new AttemptRow(a.Number, a.At, a.DurationMs, a.Status, a.Response, a.Error)).ToListAsync(ct);
        var message = WebhookMessage.Write(delivery.Endpoint!.Profile, delivery, settings.Source, [], time.GetUtcNow());
        return new(delivery.EndpointId, Row(delivery), message.ContentType, System.Text.Encoding.UTF8.GetString(message.Body), attempts);
    }

    private async Task<List<WebhookRow>> RowsAsync(LlmOpsDb db, List<WebhookEndpoint> endpoints, CancellationToken ct)
    {
        var (ids, now) = (endpoints.Select(e => e.Id).ToList(), time.GetUtcNow());
        var since = now.AddDays(-7);
        var counts = (await db.WebhookDeliveries.Where(d => ids.Contains(d.EndpointId) && !d.IsTest && (d.State == DeliveryState.Waiting || d.EndedAt >= since))
            .GroupBy(d => new { d.EndpointId, d.State }).Select(g => new { g.Key.EndpointId, g.Key.State, Count = g.Count(), Last = g.Max(d => d.EndedAt) }).ToListAsync(ct)).ToLookup(c => c.EndpointId);
        return [.. endpoints.Select(e =>
        {
            int Of(DeliveryState state) => counts[e.Id].FirstOrDefault(c => c.State == state)?.Count ?? 0;
            var secrets = (vault.TryRead(e.SecretsJson) ?? []).Where(s => s.ExpiresAt is null || s.ExpiresAt > now).Select(s => new SecretRow(s.CreatedAt, s.ExpiresAt)).ToList();
            return new WebhookRow(e.Id, e.Name, e.Url, e.Description, Json.Read<List<string>>(e.EventsJson), e.Profile, e.State, e.DisabledReason, e.NotBefore, secrets, e.CreatedBy, e.CreatedAt, e.ChangedAt,
                Of(DeliveryState.Waiting), Of(DeliveryState.Delivered), Of(DeliveryState.Failed), counts[e.Id].FirstOrDefault(c => c.State == DeliveryState.Delivered)?.Last);
        })];
    }

    private static DeliveryRow Row(WebhookDelivery d) => new(d.Id, WebhookMessage.IdOf(d), d.Type, d.Subject, d.IsTest, d.State, d.Attempts, d.State == DeliveryState.Waiting ? d.NotBefore : null, d.LastStatus, d.Error, d.CreatedAt, d.EndedAt);
}
