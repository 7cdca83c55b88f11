using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

/// <param name="Status">HTTP status; null when there was no answer.</param>
public sealed record WebhookTestResult(Guid Delivery, bool Arrived, int? Status, string? Response, string? Error, int DurationMs);

/// <summary>Sends an invented event at once and says what came of it. It is tried once and disables nothing.</summary>
public sealed class TestWebhook(IDbContextFactory<LlmOpsDb> dbs, SendWebhooks send, TimeProvider time)
{
    /// <param name="type">Null for the first event that the endpoint is told.</param>
    public async Task<WebhookTestResult> TestAsync(Guid id, string? type, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Administer);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var endpoint = await ManageWebhooks.GetAsync(db, id, ct);
        if (endpoint.State == EndpointState.Disabled)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The webhook {endpoint.Name} is disabled. Enable it, then test it.");
        var patterns = Json.Read<List<string>>(endpoint.EventsJson);
        var known = WebhookEvents.Of(endpoint.Profile).Select(e => e.Name).ToList();
        var chosen = type is null ? known.First(k => patterns.Any(p => WebhookEvents.Matches(p, k)))
            : known.Contains(type) ? type : throw LlmOpsException.Invalid($"'{type}' is no event of the profile {endpoint.Profile}. Events: {string.Join(", ", known)}.");
        var now = time.GetUtcNow();
        // Claimed from the beginning, so that the sender's beat does not take it from under this call.
        var delivery = new WebhookDelivery { EndpointId = id, Endpoint = endpoint, Type = chosen, Subject = "example", DataJson = Json.Write(Sample(chosen)), IsTest = true, NotBefore = now.AddMinutes(2), CreatedAt = now };
        db.WebhookDeliveries.Add(delivery);
        db.Record(actor, "test", "webhook", endpoint.Name, now, after: new { type = chosen, url = ManageWebhooks.Shown(endpoint.Url) });
        await db.SaveChangesAsync(ct);
        var result = await send.AttemptAsync(delivery, ct) ?? throw new LlmOpsException(ErrorCode.ResourceConflict, "Somebody changed the webhook in this moment. Look at it again, then repeat.");
        return new(delivery.Id, result.Arrived, result.Status, result.Response, result.Error, result.DurationMs);
    }

    private static object Sample(string type) => type switch
    {
        WebhookEvents.ModelCreated => new { name = "example", tags = new Dictionary<string, string>(), description = "An example." },
        WebhookEvents.VersionCreated => new { name = "example", version = 1, source = "models:/example/1", run_id = Guid.Empty.ToString("N"), tags = new Dictionary<string, string>(), description = "An example." },
        WebhookEvents.AliasSet => new { name = "example", alias = "example_alias", version = 1 },
        WebhookEvents.AliasDeleted => new { name = "example", alias = "example_alias" },
        WebhookEvents.TagSet => new { name = "example", version = 1, key = "example_key", value = "example_value" },
        WebhookEvents.TagDeleted => new { name = "example", version = 1, key = "example_key" },
        _ => new { name = "example", test = true },
    };
}
