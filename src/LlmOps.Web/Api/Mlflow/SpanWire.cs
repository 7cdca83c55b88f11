using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Api.Mlflow;

public sealed record OtelAttributeJson(string Key, JsonNode Value);

public sealed record OtelEventJson(string Name, long TimeUnixNano, IReadOnlyList<OtelAttributeJson> Attributes);

public sealed record OtelStatusJson(string Code, string? Message);

/// <summary>A span in protobuf's JSON: ids in base64.</summary>
public sealed record OtelSpanJson(string TraceId, string SpanId, string ParentSpanId, string Name, long StartTimeUnixNano, long EndTimeUnixNano, IReadOnlyList<OtelAttributeJson> Attributes, IReadOnlyList<OtelEventJson> Events, OtelStatusJson Status);

/// <summary>Spans as MLflow's clients read them, in both of their forms, and with the names that they look for.</summary>
internal static class SpanWire
{
    /// <summary>What has no place of its own in a span of OpenTelemetry.</summary>
    private static readonly string[] Apart = ["resource", "scope", "events", "links"];

    public static OtelSpanJson Otel(Span span)
    {
        var (attributes, events) = Parts(span);
        return new(Base64(span.TraceId), Base64(span.SpanId), span.ParentSpanId is { } parent ? Base64(parent) : "", span.Name, span.StartUnixNanos(), span.EndUnixNanos(), [.. attributes.Select(a => new OtelAttributeJson(a.Key, Any(a.Value)))],
            [.. events.Select(e => new OtelEventJson(e.Name, e.Nanos, [.. e.Attributes.Select(a => new OtelAttributeJson(a.Key, Any(a.Value)))]))], Status(span));
    }

    /// <summary>As in the file of a trace: every value of an attribute is JSON inside a text.</summary>
    public static JsonObject InFile(Span span)
    {
        var (attributes, events) = Parts(span);
        var status = Status(span);
        return new()
        {
            ["trace_id"] = Base64(span.TraceId), ["span_id"] = Base64(span.SpanId), ["parent_span_id"] = span.ParentSpanId is { } parent ? Base64(parent) : null, ["name"] = span.Name,
            ["start_time_unix_nano"] = span.StartUnixNanos(), ["end_time_unix_nano"] = span.EndUnixNanos(),
            ["events"] = new JsonArray([.. events.Select(e => new JsonObject { ["name"] = e.Name, ["time_unix_nano"] = e.Nanos, ["attributes"] = new JsonObject(e.Attributes.Select(a => KeyValuePair.Create(a.Key, a.Value?.DeepClone()))) })]),
            ["status"] = new JsonObject { ["code"] = status.Code, ["message"] = status.Message ?? "" },
            ["attributes"] = new JsonObject(attributes.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)JsonValue.Create(a.Value?.ToJsonString(Json.Options) ?? "null")))),
        };
    }

    private static OtelStatusJson Status(Span span) => span.Error is { } error ? new("STATUS_CODE_ERROR", error) : new("STATUS_CODE_OK", null);

    private static string Base64(string hex) => Convert.ToBase64String(Convert.FromHexString(hex));

    private static (SortedDictionary<string, JsonNode?> Attributes, List<(string Name, long Nanos, JsonObject Attributes)> Events) Parts(Span span)
    {
        var stored = Node(span.AttributesJson) as JsonObject ?? [];
        var attributes = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var (key, value) in stored.Where(a => !Apart.Contains(a.Key)))
            attributes[key] = value;
        attributes[MlflowAttributes.RequestId] = TraceKeys.Text(span.TraceId);
        attributes.TryAdd(MlflowAttributes.Type, MlflowAttributes.TypeOf(span.Kind));
        if (span.Input is { } input)
            attributes[MlflowAttributes.Inputs] = Content(input);
        if (span.Output is { } output)
            attributes[MlflowAttributes.Outputs] = Content(output);
        if (span.Model is { } model)
            attributes.TryAdd(MlflowAttributes.Model, model);
        if (span.InputTokens is not null || span.OutputTokens is not null)
            attributes.TryAdd(MlflowAttributes.TokenUsage, new JsonObject { ["input_tokens"] = span.InputTokens ?? 0, ["output_tokens"] = span.OutputTokens ?? 0, ["total_tokens"] = (long)(span.InputTokens ?? 0) + (span.OutputTokens ?? 0) });
        var events = (stored["events"] as JsonArray ?? []).OfType<JsonObject>()
            .Select(e => (e["name"]?.ToString() ?? "", e["time_unix_nano"] is JsonValue at && at.TryGetValue<long>(out var nanos) ? nanos : span.StartUnixNanos(), e["attributes"] as JsonObject ?? [])).ToList();
        return (attributes, events);
    }

    /// <summary>A text that holds an object or a list is one; every other text is a text.</summary>
    private static JsonNode Content(string text) => text.TrimStart() is ['{' or '[', ..] && Node(text) is { } node ? node : JsonValue.Create(text);

    private static JsonNode? Node(string text) => MlflowAttributes.Parsed(text) is { } parsed ? Clone(parsed) : null;

    /// <summary>Of two equal names the last one stands, where a node would refuse both.</summary>
    private static JsonNode? Clone(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var map = new JsonObject();
                foreach (var field in value.EnumerateObject())
                    map[field.Name] = Clone(field.Value);
                return map;
            case JsonValueKind.Array:
                return new JsonArray([.. value.EnumerateArray().Select(Clone)]);
            default:
                return value.ValueKind == JsonValueKind.Null ? null : JsonValue.Create(value);
        }
    }

    /// <summary>AnyValue of OpenTelemetry.</summary>
    private static JsonNode Any(JsonNode? value) => value switch
    {
        null => new JsonObject(),
        JsonObject map => new JsonObject { ["kvlist_value"] = new JsonObject { ["values"] = new JsonArray([.. map.Select(f => new JsonObject { ["key"] = f.Key, ["value"] = Any(f.Value) })]) } },
        JsonArray list => new JsonObject { ["array_value"] = new JsonObject { ["values"] = new JsonArray([.. list.Select(Any)]) } },
        _ => value.GetValueKind() switch
        {
            JsonValueKind.String => new JsonObject { ["string_value"] = value.GetValue<string>() },
            JsonValueKind.True or JsonValueKind.False => new JsonObject { ["bool_value"] = value.GetValueKind() == JsonValueKind.True },
            _ when long.TryParse(value.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => new JsonObject { ["int_value"] = whole },
            _ => new JsonObject { ["double_value"] = double.Parse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture) is var real && double.IsFinite(real) ? real : 0 },
        },
    };
}
