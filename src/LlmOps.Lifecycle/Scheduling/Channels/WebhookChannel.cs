using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;

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
    private readonly HttpClient client;

    public WebhookChannel(AlertSettings settings, TimeProvider time)
    {
        (this.settings, this.time) = (settings, time);
        // The check is made on the address that is connected to, not on a name that may resolve to another one a moment later.
        client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, ConnectCallback = ConnectAsync, PooledConnectionLifetime = TimeSpan.FromMinutes(2) });
    }

    public void Dispose() => client.Dispose();

    public void EnsureUsable(string? target)
    {
        if (settings.WebhookKey.Length == 0)
            throw LlmOpsException.Invalid("No webhook can be called: its messages could not be signed. Set Alerts__Webhooks__Secret on the server.");
        if (!Uri.TryCreate(target, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || address.UserInfo.Length > 0)
            throw LlmOpsException.Invalid($"'{target}' is no address of a webhook. Write it as https://host/path.");
        if (!settings.WebhooksAllowPrivate && IPAddress.TryParse(address.DnsSafeHost, out var ip) && IsPrivate(ip))
            throw LlmOpsException.Invalid($"'{address.Host}' is inside the house. Set Alerts__Webhooks__AllowPrivate=true on the server to allow that.");
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
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        if (!answer.IsSuccessStatusCode)
            throw new HttpRequestException($"The webhook answered {(int)answer.StatusCode}.");
    }

    public static string Sign(byte[] key, string id, string timestamp, string body) =>
        "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}")));

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, ct);
        var allowed = settings.WebhooksAllowPrivate ? addresses : [.. addresses.Where(a => !IsPrivate(a))];
        if (allowed.Length == 0)
            throw new HttpRequestException($"{context.DnsEndPoint.Host} is inside the house. Set Alerts__Webhooks__AllowPrivate=true on the server to allow that.");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Loopback, private, link-local, shared, unspecified, multicast and reserved ranges, also where they hide in an IPv6 address.</summary>
    public static bool IsPrivate(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (IPAddress.IsLoopback(address))
            return true;
        var b = address.GetAddressBytes();
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return b[0] is 0 or 10 or 127 or >= 224 || (b[0] == 172 && b[1] is >= 16 and < 32) || (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) || (b[0] == 100 && b[1] is >= 64 and < 128)
                || (b[0] == 192 && b[1] == 0 && b[2] == 0) || (b[0] == 198 && b[1] is 18 or 19);
        // NAT64 and 6to4 carry an IPv4 address inside.
        if (b.AsSpan(0, 12).SequenceEqual(new byte[] { 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0 }))
            return IsPrivate(new IPAddress(b.AsSpan(12, 4)));
        if (b[0] == 0x20 && b[1] == 0x02)
            return IsPrivate(new IPAddress(b.AsSpan(2, 4)));
        return address.IsIPv6LinkLocal || address.IsIPv6Multicast || address.IsIPv6SiteLocal || (b[0] & 0xfe) == 0xfc || b.AsSpan(0, 12).IndexOfAnyExcept((byte)0) < 0;
    }
}
