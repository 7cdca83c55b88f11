using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;
using Microsoft.AspNetCore.Http.Features;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>
/// The file traces.json, into which clients without OTLP write the spans of a trace. Here it is no file: what is written to it becomes spans as those of OTLP, redacted like them,
/// and what is read from it is made of them.
/// </summary>
internal static class TraceFileApi
{
    public const string Name = "traces.json";
    private const int MostBytes = 20 << 20, MostSpans = 20_000;

    /// <summary>The trace whose file this is, and its experiment; null for any other path.</summary>
    public static (string TraceId, string Experiment)? Of(ArtifactPath path) =>
        path.Path == Name && path.Root.Split('/') is [var experiment, "traces", var id, "artifacts"] && TraceKeys.Find(id) is { } trace ? (trace, experiment) : null;

    public static async Task PutAsync(MlflowCall call, string traceId, string experiment)
    {
        if (call.Http.Request.ContentLength > MostBytes)
            throw LlmOpsException.Invalid($"The spans of a trace may have {MostBytes} bytes; these have {call.Http.Request.ContentLength}.");
        if (call.Http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = MostBytes;
        using var document = await ParseAsync(call);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("spans", out var spans) || spans.ValueKind != JsonValueKind.Array)
            throw LlmOpsException.Invalid("The spans of a trace are an object with their list as 'spans'.");
        if ((await call.Get<ReadLoggedTraces>().ManyAsync([traceId], call.Aborted)).Count == 0)
            await call.Get<LogTrace>().StartAsync(new(traceId, TrackingKeys.Experiment(experiment), null, null, null, null, null, null, [], []), call.Aborted);
        await ReceiveAsync(call, traceId, [.. spans.EnumerateArray()]);
    }

    /// <summary>All of them, or none where one cannot be kept.</summary>
    public static async Task ReceiveAsync(MlflowCall call, string traceId, IReadOnlyList<JsonElement> sent)
    {
        if (sent.Count > MostSpans)
            throw LlmOpsException.Invalid($"A trace is sent with at most {MostSpans} spans at once; these are {sent.Count}.");
        List<ReceivedSpan> spans = [.. sent.Select(s => SpanReader.Read(s, traceId))];
        if (spans.Select(s => s.Objection).FirstOrDefault(o => o is not null) is { } objection)
            throw LlmOpsException.Invalid($"The spans of the trace cannot be kept, nothing was stored: {objection}.");
        // So that it is known by whom it was sent, also where the client left it out.
        foreach (var span in spans)
            span.Attributes.TryAdd(MlflowAttributes.RequestId, TraceKeys.Text(traceId));
        await call.Get<ReceiveSpans>().ReceiveAsync(spans, all: true, call.Aborted);
    }

    public static async Task SendAsync(MlflowCall call, string traceId)
    {
        var spans = (await call.Get<ReadLoggedTraces>().SpansAsync([traceId], call.Aborted))[traceId].ToList();
        if (spans.Count == 0)
            throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No such artifact: the trace {TraceKeys.Text(traceId)} has no spans here.");
        var file = new JsonObject { ["spans"] = new JsonArray([.. spans.Select(SpanWire.InFile)]) };
        call.Http.Response.ContentType = "application/octet-stream";
        call.Http.Response.Headers.ContentDisposition = $"attachment; filename={Name}";
        await call.Http.Response.WriteAsync(file.ToJsonString(Json.Options), call.Aborted);
    }

    /// <summary>The file of a trace by its id, or another one that a client laid beside it.</summary>
    public static async Task GetTraceArtifactAsync(MlflowCall call)
    {
        var query = call.Http.Request.Query;
        var id = TraceKeys.Known(query["request_id"].LastOrDefault() is { Length: > 0 } request ? request : query["trace_id"].LastOrDefault(), "request_id");
        var path = query["path"].LastOrDefault();
        if (path is null or "" or Name)
        {
            await SendAsync(call, id);
            return;
        }
        var trace = await call.Get<ReadLoggedTraces>().GetAsync(id, call.Aborted);
        var file = ArtifactPaths.Within(trace.Tags.First(t => t.Key == LogTrace.ArtifactLocation).Value, path);
        await ArtifactPaths.SendAsync(call.Http, await call.Get<LoggedFiles>().OpenAsync(file, call.Aborted), file.Path);
    }

    private static async Task<JsonDocument> ParseAsync(MlflowCall call)
    {
        try
        {
            return await JsonDocument.ParseAsync(call.Http.Request.Body, new() { MaxDepth = 128 }, call.Aborted);
        }
        catch (JsonException e)
        {
            throw LlmOpsException.Invalid($"The spans of a trace are JSON: look at line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1}.");
        }
    }
}
