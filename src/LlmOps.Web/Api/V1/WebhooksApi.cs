using System.Security.Claims;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

/// <param name="OverlapSeconds">How long the old secret signs beside the new one; a day when not given, 0 when it is known to others.</param>
public sealed record RotateWebhookSecret(long? OverlapSeconds = null, string? Secret = null);

/// <param name="Type">The event to invent; the first that the endpoint is told when not given.</param>
public sealed record TestWebhookRequest(string? Type = null);

/// <param name="Since">Unix milliseconds; everything that is still in the log when not given.</param>
public sealed record ReplayFailedRequest(long? Since = null);

public static class WebhooksApi
{
    public static void MapWebhooks(this IEndpointRouteBuilder v1)
    {
        // All of it is for administrators: addresses may hold secrets, and whoever makes one sees what happens here.
        var hooks = v1.MapGroup("/webhooks").WithTags("Webhooks");
        hooks.MapGet("", (ReadWebhooks read, ClaimsPrincipal user, CancellationToken ct) => read.ListAsync(user.ToActor(), ct)).RequirePermission(Permission.Administer).WithSummary("Endpoints that are told what happens here.");
        hooks.MapGet("/events", () => WebhookEvents.All).WithSummary("What they can be told.");
        hooks.MapPost("", async (NewWebhook body, ManageWebhooks manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var made = await manage.CreateAsync(body, user.ToActor(), ct);
            return Results.Created($"/api/v1/webhooks/{made.Id}", made);
        }).RequirePermission(Permission.Administer).WithSummary("Makes an endpoint. The answer holds its secret, this once.");
        hooks.MapGet("/{id:guid}", (Guid id, ReadWebhooks read, ClaimsPrincipal user, CancellationToken ct) => read.GetAsync(id, user.ToActor(), ct)).RequirePermission(Permission.Administer).WithSummary("One endpoint.");
        hooks.MapPatch("/{id:guid}", async (Guid id, WebhookChange body, ManageWebhooks manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.ChangeAsync(id, body, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Administer).WithSummary("Changes an endpoint, turns it on or off; what is not given stays.");
        hooks.MapDelete("/{id:guid}", async (Guid id, ManageWebhooks manage, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await manage.DeleteAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Administer).WithSummary("Deletes an endpoint with its log.");
        hooks.MapPost("/{id:guid}/secret", (Guid id, RotateWebhookSecret body, ManageWebhooks manage, ClaimsPrincipal user, CancellationToken ct) =>
                manage.RotateSecretAsync(id, Overlap(body.OverlapSeconds), body.Secret, user.ToActor(), ct))
            .RequirePermission(Permission.Administer).WithSummary("A new secret; the old one signs beside it for a while. The answer holds it, this once.");
        hooks.MapPost("/{id:guid}/test", (Guid id, TestWebhookRequest body, TestWebhook test, ClaimsPrincipal user, CancellationToken ct) => test.TestAsync(id, body.Type, user.ToActor(), ct))
            .RequirePermission(Permission.Administer).WithSummary("Sends an invented event now and says what the receiver answered.");
        hooks.MapPost("/{id:guid}/replay", async (Guid id, ReplayFailedRequest body, ReplayDelivery replay, ClaimsPrincipal user, CancellationToken ct) =>
                Results.Ok(new { replayed = await replay.ReplayFailedAsync(id, DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(body.Since ?? 0, 0, 253402300799999)), user.ToActor(), ct) }))
            .RequirePermission(Permission.Administer).WithSummary("Sends everything that failed once more.");
        MapDeliveries(hooks);
    }

    private static void MapDeliveries(RouteGroupBuilder hooks)
    {
        hooks.MapGet("/{id:guid}/deliveries", (Guid id, string? state, string? text, int? skip, int? take, ReadWebhooks read, ClaimsPrincipal user, CancellationToken ct) =>
                read.DeliveriesAsync(id, State(state), new ListQuery(text, Skip: Math.Max(skip ?? 0, 0), Take: take ?? 100), user.ToActor(), ct))
            .RequirePermission(Permission.Administer).WithSummary("What an endpoint was told, newest first.");
        hooks.MapGet("/deliveries/{id:guid}", (Guid id, ReadWebhooks read, ClaimsPrincipal user, CancellationToken ct) => read.DeliveryAsync(id, user.ToActor(), ct))
            .RequirePermission(Permission.Administer).WithSummary("One delivery with its body and each attempt.");
        hooks.MapPost("/deliveries/{id:guid}/replay", async (Guid id, ReplayDelivery replay, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await replay.ReplayAsync(id, user.ToActor(), ct);
            return Results.Accepted($"/api/v1/webhooks/deliveries/{id}");
        }).RequirePermission(Permission.Administer).WithSummary("Sends it once more, with its old id.");
    }

    private static TimeSpan? Overlap(long? seconds) => seconds is not { } given ? null
        : given is >= 0 and <= 30 * 86400 ? TimeSpan.FromSeconds(given) : throw LlmOpsException.Invalid("overlap_seconds is 0 to 2592000, which is 30 days.");

    private static DeliveryState? State(string? text) => string.IsNullOrEmpty(text) ? null
        : Enum.TryParse<DeliveryState>(text, ignoreCase: true, out var state) && Enum.IsDefined(state) ? state : throw LlmOpsException.Invalid($"'{text}' is no state of a delivery. States: {string.Join(", ", Enum.GetNames<DeliveryState>())}.");
}
