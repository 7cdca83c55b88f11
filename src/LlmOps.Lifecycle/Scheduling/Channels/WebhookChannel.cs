using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Webhooks;

namespace LlmOps.Lifecycle.Scheduling.Channels;

/// <summary>What a webhook is told.</summary>
public sealed record WebhookBody(string Type, DateTimeOffset Timestamp, WebhookAlert Data);

public sealed record WebhookAlert(Guid Id, string Title, string Text, string? Url);

/// <summary>
/// POSTs an alert as JSON with the headers of Standard Webhooks: webhook-id, webhook-timestamp and webhook-signature, an HMAC-SHA256 over
/// "id.timestamp.body". Redirects are not followed, and addresses inside the house are refused unless the settings allow them: whoever
/// may write a rule must not reach what only this server can reach.
/// </summary>
public sealed class WebhookChannel : IDisposable
{
    private readonly AlertSettings settings;
    private readonly TimeProvider time;
    private readonly GuardedClient client;

    public WebhookChannel(AlertSettings settings, TimeProvider time)
    {
        (this.settings, this.time) = (settings, time);
        client = new(_ => settings.WebhooksAllowPrivate, "Set Alerts__Webhooks__AllowPrivate=true on the server to allow that.");
    }

    public void Dispose() => client.Dispose();

    public void EnsureUsable(string? target)
    {
        if (settings.WebhookKey.Length == 0)
            throw LlmOpsException.Invalid("No webhook can be called: its messages could not be signed. Set Alerts__Webhooks__Secret on the server.");
        client.EnsureUsable(target);
    }

    internal async Task SendAsync(Notification notification, CancellationToken ct)
    {
        EnsureUsable(notification.Target);
        var now = time.GetUtcNow();
        var url = notification.Href is null ? null : settings.BaseUrl + notification.Href;
        var body = Json.Write(new WebhookBody("llmops.alert", now, new(notification.Id, notification.Title, notification.Text, url)));
        var (id, stamp) = (notification.Id.ToString(), now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        using var request = new HttpRequestMessage(HttpMethod.Post, notification.Target) { Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")) };
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", stamp);
        request.Headers.Add("webhook-signature", Sign(settings.WebhookKey, id, stamp, body));
        using var answer = await client.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        if (!answer.IsSuccessStatusCode)
            throw new HttpRequestException($"The webhook answered {(int)answer.StatusCode}.");
    }

    public static string Sign(byte[] key, string id, string timestamp, string body) =>
        "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}")));
}
