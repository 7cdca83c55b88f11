using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Monitoring;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.Otlp;

/// <summary>What OpenTelemetry's exporters send over HTTP. Whoever may chat may say how it went.</summary>
public static class OtlpApi
{
    public static void MapOtlp(this WebApplication app)
    {
        // The second is where Langfuse's SDKs send theirs.
        foreach (var prefix in new[] { "/v1", "/api/public/otel/v1" })
        {
            var otlp = app.MapGroup(prefix).WithTags("OpenTelemetry").RequirePermission(Permission.Chat);
            otlp.MapPost("/traces", TracesAsync).WithSummary("Spans of OpenTelemetry, in protobuf or JSON.");
            otlp.MapPost("/metrics", (HttpContext http, ServingMeter meter) => DropAsync(http, b => b.IsJson ? CountedOnly.DataPoints(b.Bytes) : CountedOnly.DataPoints(b.Bytes.Span), "data points", "rejectedDataPoints", meter))
                .WithSummary("Metrics of OpenTelemetry: counted and dropped, and the answer says so.");
            otlp.MapPost("/logs", (HttpContext http, ServingMeter meter) => DropAsync(http, b => b.IsJson ? CountedOnly.LogRecords(b.Bytes) : CountedOnly.LogRecords(b.Bytes.Span), "log records", "rejectedLogRecords", meter))
                .WithSummary("Logs of OpenTelemetry: counted and dropped, and the answer says so.");
        }
    }

    private static async Task TracesAsync(HttpContext http, ReceiveSpans receive)
    {
        var body = await OtlpBody.ReadAsync(http.Request, http.RequestAborted);
        var spans = body.IsJson ? body.Bytes.IsEmpty ? [] : JsonTraces.Read(body.Bytes) : ProtobufTraces.Read(body.Bytes.Span);
        // MLflow's exporters say so to which experiment a trace belongs; without it that is the default one.
        if (http.Request.Headers["x-mlflow-experiment-id"].LastOrDefault() is { Length: > 0 } experiment)
            await http.RequestServices.GetRequiredService<LogTrace>().PlaceAsync(TrackingKeys.Experiment(experiment), spans.Select(s => s.TraceId), http.RequestAborted);
        var outcome = await receive.ReceiveAsync(spans, http.RequestAborted);
        await OtlpReply.WriteAsync(http, outcome.Rejected, outcome.Why, "rejectedSpans");
    }

    private static async Task DropAsync(HttpContext http, Func<OtlpBody, long> count, string what, string field, ServingMeter meter)
    {
        var body = await OtlpBody.ReadAsync(http.Request, http.RequestAborted);
        var items = body is { IsJson: true, Bytes.IsEmpty: true } ? 0 : count(body);
        meter.Dropped(what == "data points" ? items : 0, what == "log records" ? items : 0);
        await OtlpReply.WriteAsync(http, items, items == 0 ? null : $"LlmOps keeps traces only, so these {what} were counted and dropped. Send them to a store of their own, or switch this exporter off.", field);
    }
}
