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
            otlp.MapPost("/metrics", MetricsAsync).WithSummary("Metrics of OpenTelemetry: counted and dropped, and the answer says so.");
            otlp.MapPost("/logs", LogsAsync).WithSummary("Logs of OpenTelemetry: results of evaluations become feedback; other records are counted and dropped, and the answer says so.");
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

    private static async Task MetricsAsync(HttpContext http, ServingMeter meter)
    {
        var body = await OtlpBody.ReadAsync(http.Request, http.RequestAborted);
        var points = !body.IsJson ? CountedOnly.DataPoints(body.Bytes.Span) : body.Bytes.IsEmpty ? 0 : CountedOnly.DataPoints(body.Bytes);
        meter.Dropped(points, 0);
        await OtlpReply.WriteAsync(http, points, points == 0 ? null : Dropped("data points"), "rejectedDataPoints");
    }

    private static async Task LogsAsync(HttpContext http, ReceiveResults receive, ServingMeter meter)
    {
        var records = LogRecords.Read(await OtlpBody.ReadAsync(http.Request, http.RequestAborted));
        var outcome = records.Results.Count == 0 ? new(0, null) : await receive.ReceiveAsync(records.Results, http.RequestAborted);
        meter.Dropped(0, records.Others + outcome.Rejected);
        var told = string.Join(' ', new[] { records.Others == 0 ? null : Dropped("log records"), outcome.Why }.OfType<string>());
        await OtlpReply.WriteAsync(http, records.Others + outcome.Rejected, told.Length == 0 ? null : told, "rejectedLogRecords");
    }

    private static string Dropped(string what) => $"LlmOps keeps traces only, so these {what} were counted and dropped. Send them to a store of their own, or switch this exporter off.";
}
