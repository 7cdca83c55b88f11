using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Webhooks;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Webhooks as MLflow's clients make them. They are endpoints with the profile "mlflow"; those of other profiles are not seen from here.</summary>
internal static class WebhooksApi
{
    private const string Path = "/mlflow/webhooks";

    private sealed record EventJson(string? Entity, string? Action);

    private sealed record Create(string? Name, string? Description, string? Url, IReadOnlyList<EventJson>? Events, string? Secret, string? Status);

    private sealed record Page(int? MaxResults, string? PageToken);

    private sealed record Test(EventJson? Event);

    private sealed record Nothing;

    private sealed record WebhookJson(string WebhookId, string Name, string? Description, string Url, IReadOnlyList<EventJson> Events, string Status, long CreationTimestamp, long LastUpdatedTimestamp);

    private sealed record Found(WebhookJson Webhook);

    private sealed record FoundMany(IReadOnlyList<WebhookJson> Webhooks, string? NextPageToken);

    private sealed record ResultJson(bool Success, int? ResponseStatus, string? ResponseBody, string? ErrorMessage);

    private sealed record Tested(ResultJson Result);

    public static void MapWebhooks(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", Path, Permission.Administer, async (r, c) =>
        {
            // Without a secret MLflow sends no signature, and its receivers expect none.
            var made = await c.Get<ManageWebhooks>().CreateAsync(new NewWebhook(TrackingKeys.Required(r.Name, "name"), TrackingKeys.Required(r.Url, "url"), Patterns(r.Events ?? []), WebhookProfiles.Mlflow, r.Description, r.Secret ?? "", IsActive(r.Status) == false),
                c.Actor, c.Aborted);
            return new Found(Of(await c.Get<ReadWebhooks>().GetAsync(made.Id, c.Actor, c.Aborted)));
        });
        routes.Read<Page>("GET", Path, async (r, c) =>
        {
            if (r.MaxResults is < 1 or > 1000)
                throw LlmOpsException.Invalid($"Invalid value {r.MaxResults} for parameter 'max_results' supplied: it is 1 to 1000.");
            var (most, rows) = (r.MaxResults ?? 100, (await c.Get<ReadWebhooks>().ListAsync(c.Actor, c.Aborted)).Where(w => w.Profile == WebhookProfiles.Mlflow).OrderBy(w => w.Id).AsEnumerable());
            if (r.PageToken is { Length: > 0 } token)
                rows = Guid.TryParse(token, out var after) ? rows.SkipWhile(w => w.Id.CompareTo(after) <= 0) : throw LlmOpsException.Invalid("Invalid page token.");
            var page = rows.Take(most + 1).ToList();
            return new FoundMany([.. page.Take(most).Select(Of)], page.Count > most ? page[most - 1].Id.ToString() : null);
        });
        routes.Read<Nothing>("GET", Path + "/{webhook_id}", async (_, c) => new Found(Of(await GetAsync(c))));
        routes.Write<Create>("PATCH", Path + "/{webhook_id}", Permission.Administer, async (r, c) =>
        {
            var found = await GetAsync(c);
            var manage = c.Get<ManageWebhooks>();
            await manage.ChangeAsync(found.Id, new WebhookChange(r.Name, r.Url, r.Events is { Count: > 0 } events ? Patterns(events) : null, Description: r.Description, Enabled: IsActive(r.Status)), c.Actor, c.Aborted);
            if (r.Secret is { Length: > 0 } secret)
                await manage.RotateSecretAsync(found.Id, TimeSpan.Zero, secret, c.Actor, c.Aborted);
            return new Found(Of(await GetAsync(c)));
        });
        routes.Write<Nothing>("DELETE", Path + "/{webhook_id}", Permission.Administer, async (_, c) =>
        {
            await c.Get<ManageWebhooks>().DeleteAsync((await GetAsync(c)).Id, c.Actor, c.Aborted);
            return null;
        });
        routes.Write<Test>("POST", Path + "/{webhook_id}/test", Permission.Administer, async (r, c) =>
        {
            var result = await c.Get<TestWebhook>().TestAsync((await GetAsync(c)).Id, r.Event is { } asked ? Pattern(asked) : null, c.Actor, c.Aborted);
            return new Tested(new(result.Arrived, result.Status, result.Response, result.Error));
        });
    }

    private static async Task<WebhookRow> GetAsync(MlflowCall call)
    {
        var id = (string?)call.Http.GetRouteValue("webhook_id");
        return Guid.TryParse(id, out var known) && await call.Get<ReadWebhooks>().GetAsync(known, call.Actor, call.Aborted) is { Profile: WebhookProfiles.Mlflow } row ? row
            : throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Webhook with ID {TrackingKeys.Shown(id ?? "")} not found.");
    }

    private static IReadOnlyList<string> Patterns(IReadOnlyList<EventJson> events) => [.. events.Select(Pattern)];

    private static string Pattern(EventJson asked) => WebhookEvents.All.FirstOrDefault(e => e.MlflowEntity is not null && e.MlflowEntity == asked.Entity?.ToUpperInvariant() && e.MlflowAction == asked.Action?.ToUpperInvariant())?.Name
        ?? throw LlmOpsException.Invalid($"Invalid event {TrackingKeys.Shown($"{asked.Entity}.{asked.Action}")}. Events: {string.Join(", ", WebhookEvents.Of(WebhookProfiles.Mlflow).Select(e => $"{e.MlflowEntity}.{e.MlflowAction}"))}.");

    private static bool? IsActive(string? status) => status?.ToUpperInvariant() switch
    {
        null or "" => null,
        "ACTIVE" => true,
        "DISABLED" => false,
        _ => throw LlmOpsException.Invalid($"Invalid status {TrackingKeys.Shown(status)}. It is ACTIVE or DISABLED."),
    };

    private static WebhookJson Of(WebhookRow w) => new(w.Id.ToString(), w.Name, w.Description, w.Url,
        [.. WebhookEvents.Of(WebhookProfiles.Mlflow).Where(e => w.Events.Any(p => WebhookEvents.Matches(p, e.Name))).Select(e => new EventJson(e.MlflowEntity, e.MlflowAction))],
        w.State == EndpointState.Active ? "ACTIVE" : "DISABLED", w.CreatedAt.Ms(), w.ChangedAt.Ms());
}
