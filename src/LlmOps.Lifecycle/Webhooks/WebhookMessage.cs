using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>A delivery as it goes over the wire: the body is the same on each attempt, only the time of the attempt and with it the signature change.</summary>
public sealed record WebhookMessage(byte[] Body, string ContentType, IReadOnlyList<KeyValuePair<string, string>> Headers)
{
    public static WebhookMessage Write(string profile, WebhookDelivery delivery, string source, IReadOnlyList<string> secrets, DateTimeOffset now)
    {
        var (id, stamp) = (IdOf(delivery), now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        var time = delivery.CreatedAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        var data = JsonNode.Parse(delivery.DataJson)!;
        if (profile == WebhookProfiles.Mlflow)
            return Mlflow(delivery, data, time, stamp, secrets);
        var (contentType, headers, body) = profile switch
        {
            WebhookProfiles.CloudEventsStructured => ("application/cloudevents+json", new List<KeyValuePair<string, string>>(), (JsonNode)new JsonObject
            {
                ["specversion"] = "1.0", ["id"] = id, ["source"] = source, ["type"] = delivery.Type, ["time"] = time, ["subject"] = delivery.Subject, ["datacontenttype"] = "application/json", ["data"] = data,
            }),
            WebhookProfiles.CloudEventsBinary => ("application/json", [
                new("ce-specversion", "1.0"), new("ce-id", id), new("ce-source", Escape(source)), new("ce-type", delivery.Type), new("ce-time", time), new("ce-subject", Escape(delivery.Subject)),
            ], data),
            _ => ("application/json", [], new JsonObject { ["type"] = delivery.Type, ["timestamp"] = time, ["data"] = data }),
        };
        var bytes = Bytes(body);
        headers.Add(new("webhook-id", id));
        headers.Add(new("webhook-timestamp", stamp));
        if (secrets.Count > 0)
            headers.Add(new("webhook-signature", WebhookSignature.Standard(secrets, id, stamp, bytes)));
        return new(bytes, contentType, headers);
    }

    /// <summary>What receivers tell a repeat by.</summary>
    public static string IdOf(WebhookDelivery delivery) => $"msg_{delivery.Id:N}";

    public HttpRequestMessage Request(string url)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(Body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(ContentType) } } };
        foreach (var (name, value) in Headers)
            request.Headers.TryAddWithoutValidation(name, value);
        request.Headers.TryAddWithoutValidation("User-Agent", "LlmOps-Webhooks/1");
        return request;
    }

    /// <summary>MLflow's receivers hold one secret and compare one signature, so the newest signs; its versions are texts.</summary>
    private static WebhookMessage Mlflow(WebhookDelivery delivery, JsonNode data, string time, string stamp, IReadOnlyList<string> secrets)
    {
        var type = WebhookEvents.All.Single(e => e.Name == delivery.Type);
        if (data is JsonObject fields && fields["version"] is JsonValue version)
            fields["version"] = version.ToString();
        var bytes = Bytes(new JsonObject { ["entity"] = type.MlflowEntity!.ToLowerInvariant(), ["action"] = type.MlflowAction!.ToLowerInvariant(), ["timestamp"] = time, ["data"] = data });
        var id = delivery.Id.ToString();
        var headers = new List<KeyValuePair<string, string>> { new("X-MLflow-Delivery-Id", id), new("X-MLflow-Timestamp", stamp) };
        if (secrets.Count > 0)
            headers.Add(new("X-MLflow-Signature", WebhookSignature.Mlflow(secrets[0], id, stamp, bytes)));
        return new(bytes, "application/json", headers);
    }

    /// <summary>CloudEvents' rule for headers: space, quote, percent and everything beyond printable ASCII as percent-encoded UTF-8.</summary>
    public static string Escape(string value)
    {
        var text = new StringBuilder(value.Length);
        foreach (var b in Encoding.UTF8.GetBytes(value))
            if (b is > 0x20 and < 0x7f and not (byte)'"' and not (byte)'%')
                text.Append((char)b);
            else
                text.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        return text.ToString();
    }

    private static byte[] Bytes(JsonNode body) => Encoding.UTF8.GetBytes(body.ToJsonString(Json.Options));
}
