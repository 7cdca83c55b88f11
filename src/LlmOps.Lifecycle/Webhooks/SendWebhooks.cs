using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Scheduling;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>
/// Sends what is due. Each attempt is claimed by a guarded update first, so that two processes do not send one row at the same time; a crash between sending
/// and writing that down sends again when the claim runs out. So it is at least once, with one id for the receiver to tell a repeat by.
/// </summary>
public sealed class SendWebhooks(IDbContextFactory<LlmOpsDb> dbs, CallEndpoint call, Monitoring.ServingMeter meter, Hints hints, WebhookSettings settings, TimeProvider time)
{
    private static readonly TimeSpan Claim = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Breath = TimeSpan.FromSeconds(5);
    private const int AtOnce = 8;

    /// <summary>How many arrived. Endpoints are called side by side, the deliveries of one after another: one that is slow holds up only itself.</summary>
    public async Task<int> SendDueAsync(CancellationToken ct = default)
    {
        List<WebhookDelivery> due;
        await using (var db = await dbs.CreateDbContextAsync(ct))
        {
            var now = time.GetUtcNow();
            due = await db.WebhookDeliveries.AsNoTracking().Include(d => d.Endpoint)
                .Where(d => d.State == DeliveryState.Waiting && d.NotBefore <= now && d.Endpoint!.State == EndpointState.Active && (d.Endpoint.NotBefore == null || d.Endpoint.NotBefore <= now))
                .OrderBy(d => d.NotBefore).ThenBy(d => d.Id).Take(200).ToListAsync(ct);
        }
        var arrived = 0;
        await Parallel.ForEachAsync(due.GroupBy(d => d.EndpointId), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = ct }, async (group, stop) =>
        {
            foreach (var delivery in group)
            {
                if (await AttemptAsync(delivery, stop) is not { } result)
                    continue;
                if (result.Arrived)
                    Interlocked.Increment(ref arrived);
                if (result.Unreachable || result.IsGone)
                    break;
            }
        });
        return arrived;
    }

    /// <summary>Null when another process has it, or somebody changed the endpoint since it was read: what leaves now goes to the address and with the secrets that hold now.</summary>
    internal async Task<CallResult?> AttemptAsync(WebhookDelivery delivery, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var (attempt, tried) = (delivery.Attempts + 1, delivery.Tried + 1);
        var at = time.GetUtcNow();
        var mine = db.WebhookDeliveries.Where(d => d.Id == delivery.Id && d.State == DeliveryState.Waiting);
        if (0 == await mine.Where(d => d.Attempts == delivery.Attempts && d.Endpoint!.State == EndpointState.Active && d.Endpoint.Revision == delivery.Endpoint!.Revision)
            .ExecuteUpdateAsync(s => s.SetProperty(d => d.Attempts, attempt).SetProperty(d => d.Tried, tried).SetProperty(d => d.NotBefore, at + Claim), ct))
            return null;
        var result = await call.CallAsync(delivery.Endpoint!, delivery, ct);
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        await WriteAsync(db, delivery, mine.Where(d => d.Attempts == attempt), tried, result, ct);
        db.WebhookAttempts.Add(new WebhookAttempt { DeliveryId = delivery.Id, Number = attempt, At = at, DurationMs = result.DurationMs, Status = result.Status, Response = result.Response, Error = result.Error });
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
        meter.Delivered(delivery.Endpoint!.Profile, result.Arrived ? "delivered" : delivery.IsTest || result.IsGone || RetrySchedule.After(tried, delivery.Id) is null ? "failed" : "retried");
        await hints.ChangedAsync(Areas.Webhook, delivery.EndpointId);
        return result;
    }

    private async Task WriteAsync(LlmOpsDb db, WebhookDelivery delivery, IQueryable<WebhookDelivery> mine, int tried, CallResult result, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var next = delivery.IsTest || result.IsGone ? null : RetrySchedule.After(tried, delivery.Id);
        var state = result.Arrived ? DeliveryState.Delivered : next is null ? DeliveryState.Failed : DeliveryState.Waiting;
        var pause = result.RetryAfter > next ? result.RetryAfter : next;
        await mine.ExecuteUpdateAsync(s => s.SetProperty(d => d.State, state).SetProperty(d => d.LastStatus, result.Status).SetProperty(d => d.Error, result.Error)
            .SetProperty(d => d.NotBefore, now + (pause ?? TimeSpan.Zero)).SetProperty(d => d.EndedAt, state == DeliveryState.Waiting ? null : now), ct);
        if (result.Unreachable && !delivery.IsTest)
        {
            var until = now + (result.RetryAfter > Breath ? result.RetryAfter.Value : Breath);
            await db.WebhookEndpoints.Where(e => e.Id == delivery.EndpointId).ExecuteUpdateAsync(s => s.SetProperty(e => e.NotBefore, until), ct);
        }
        if (state == DeliveryState.Failed && !delivery.IsTest)
            await DisableAsync(db, delivery.Endpoint!, result.IsGone ? "The receiver answered 410: it is gone." : $"A delivery failed {tried} times, at last: {result.Error}", now, ct);
    }

    /// <summary>What waits stays, and goes on when somebody enables the endpoint again.</summary>
    private static async Task DisableAsync(LlmOpsDb db, WebhookEndpoint endpoint, string reason, DateTimeOffset now, CancellationToken ct)
    {
        if (0 == await db.WebhookEndpoints.Where(e => e.Id == endpoint.Id && e.State == EndpointState.Active)
            .ExecuteUpdateAsync(s => s.SetProperty(e => e.State, EndpointState.Disabled).SetProperty(e => e.DisabledReason, reason).SetProperty(e => e.Revision, e => e.Revision + 1).SetProperty(e => e.ChangedAt, now), ct))
            return;
        db.Record(Actor.System, "disable", "webhook", endpoint.Name, now, new { state = EndpointState.Active }, new { state = EndpointState.Disabled, reason });
        db.Notifications.Add(new Notification
        {
            Channel = NotificationChannels.Page, Title = $"The webhook {endpoint.Name} was disabled", Text = $"{reason} What happens from now on is not told to it.", Href = $"/settings/webhooks/{endpoint.Id}",
            CreatedAt = now, State = NotificationState.Sent, SentAt = now,
        });
    }

    /// <summary>The log is kept for a while; what still waits is never thrown away.</summary>
    public async Task<int> ForgetOldAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var before = time.GetUtcNow().AddDays(-settings.KeepDays);
        return await db.WebhookDeliveries.Where(d => d.State != DeliveryState.Waiting && d.EndedAt < before).ExecuteDeleteAsync(ct);
    }
}
