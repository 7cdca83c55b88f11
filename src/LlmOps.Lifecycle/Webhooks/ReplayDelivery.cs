using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>Sends what arrived or failed once more, from the beginning of the schedule and with its old id, so that a receiver that has it already can tell.</summary>
public sealed class ReplayDelivery(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task ReplayAsync(Guid deliveryId, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var delivery = await db.WebhookDeliveries.Include(d => d.Endpoint).SingleOrDefaultAsync(d => d.Id == deliveryId, ct) ?? throw LlmOpsException.NotFound("Delivery", deliveryId);
        Ensure(delivery.Endpoint!);
        if (delivery.IsTest)
            throw LlmOpsException.Invalid("This was a test. Test the webhook again instead.");
        Queue(delivery, time.GetUtcNow());
        db.Record(actor, "replay", "webhook", delivery.Endpoint!.Name, time.GetUtcNow(), after: new { delivery = deliveryId, delivery.Type, delivery.Subject });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Webhook, delivery.EndpointId);
    }

    /// <summary>Everything that failed since then; how many.</summary>
    public async Task<int> ReplayFailedAsync(Guid endpointId, DateTimeOffset since, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var endpoint = await ManageWebhooks.GetAsync(db, endpointId, ct);
        Ensure(endpoint);
        var failed = await db.WebhookDeliveries.Where(d => d.EndpointId == endpointId && d.State == DeliveryState.Failed && !d.IsTest && d.CreatedAt >= since).ToListAsync(ct);
        foreach (var delivery in failed)
            Queue(delivery, time.GetUtcNow());
        db.Record(actor, "replay", "webhook", endpoint.Name, time.GetUtcNow(), after: new { deliveries = failed.Count, since });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Webhook, endpointId);
        return failed.Count;
    }

    private static void Ensure(WebhookEndpoint endpoint)
    {
        if (endpoint.State == EndpointState.Disabled)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The webhook {endpoint.Name} is disabled. Enable it first.");
    }

    private static void Queue(WebhookDelivery delivery, DateTimeOffset now)
    {
        delivery.State = DeliveryState.Waiting;
        delivery.Tried = 0;
        delivery.NotBefore = now;
        delivery.EndedAt = null;
    }
}
