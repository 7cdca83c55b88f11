using System.Globalization;
using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Spans as MLflow's clients send them outside of OTLP: in the file of a trace, in the forms of its versions, or in protobuf's JSON.</summary>
internal static class SpanReader
{
    private const int Deepest = 32;

    /// <param name="traceId">Of the trace that the spans are sent to; what the spans themselves say is a spelling of it, or nothing.</param>
    public static ReceivedSpan Read(JsonElement span, string traceId)
    {
        if (span.ValueKind != JsonValueKind.Object)
            throw Wrong("A span is an object.");
        var context = Find(span, "context") ?? span;
        var status = Find(span, "status");
        var code = Text(status is { ValueKind: JsonValueKind.Object } told ? Find(told, "code") : Find(span, "status_code"));
        return new()
        {
            TraceId = traceId, SpanId = Id(Text(Find(context, "span_id", "spanId"))), ParentSpanId = Id(Text(Find(span, "parent_span_id", "parentSpanId", "parent_id"))), Name = Storable(Text(Find(span, "name"))),
            StartNanos = Nanos(Find(span, "start_time_unix_nano", "startTimeUnixNano", "start_time")), EndNanos = Nanos(Find(span, "end_time_unix_nano", "endTimeUnixNano", "end_time")),
            Attributes = Decoded(Attributes(Find(span, "attributes"))), Events = [.. List(span, "events").Select(Event)],
            Failed = code is "STATUS_CODE_ERROR" or "ERROR" or "2", StatusMessage = Storable(Text(status is { ValueKind: JsonValueKind.Object } said ? Find(said, "message") : Find(span, "status_message"))),
            Resource = new Dictionary<string, object?>(), Scope = "",
        };
    }

    private static ReceivedEvent Event(JsonElement e) => e.ValueKind != JsonValueKind.Object ? throw Wrong("An event is an object.")
        : new(Storable(Text(Find(e, "name"))), Nanos(Find(e, "time_unix_nano", "timeUnixNano", "timestamp")), Attributes(Find(e, "attributes")));

    /// <summary>Clients in Python put JSON into every value, those in TypeScript into none.</summary>
    private static Dictionary<string, object?> Decoded(Dictionary<string, object?> attributes)
    {
        var parsed = new Dictionary<string, JsonElement>();
        foreach (var (key, value) in attributes)
            if (value is string text)
            {
                if (MlflowAttributes.Parsed(text) is not { } json)
                    return attributes;
                parsed[key] = json;
            }
        foreach (var (key, json) in parsed)
            attributes[key] = Value(json, 0);
        return attributes;
    }

    private static Dictionary<string, object?> Attributes(JsonElement? value)
    {
        var attributes = new Dictionary<string, object?>();
        switch (value)
        {
            case null or { ValueKind: JsonValueKind.Null }:
                break;
            case { ValueKind: JsonValueKind.Object } map:
                foreach (var field in map.EnumerateObject())
                    attributes[Storable(field.Name)] = Value(field.Value, 0);
                break;
            case { ValueKind: JsonValueKind.Array } list:
                foreach (var pair in list.EnumerateArray())
                    attributes[Storable(Text(pair.ValueKind == JsonValueKind.Object ? Find(pair, "key") : null))] = Find(pair, "value") is { } any ? Any(any, 0) : null;
                break;
            default:
                throw Wrong("'attributes' is neither an object nor a list.");
        }
        return attributes;
    }

    private static object? Any(JsonElement value, int depth)
    {
        EnsureDepth(depth);
        if (value.ValueKind != JsonValueKind.Object)
            throw Wrong("The value of an attribute is not an object such as {\"string_value\":\"…\"}.");
        foreach (var field in value.EnumerateObject())
            switch (field.Name)
            {
                case "string_value" or "stringValue" or "bool_value" or "boolValue" or "double_value" or "doubleValue": return Value(field.Value, depth);
                case "int_value" or "intValue": return long.TryParse(Text(field.Value), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole : throw Wrong("'int_value' is not a whole number of 64 bits.");
                case "array_value" or "arrayValue": return List(field.Value, "values").Select(v => Any(v, depth + 1)).ToList();
                case "kvlist_value" or "kvlistValue":
                    var map = new Dictionary<string, object?>();
                    foreach (var pair in List(field.Value, "values"))
                        map[Storable(Text(pair.ValueKind == JsonValueKind.Object ? Find(pair, "key") : null))] = Find(pair, "value") is { } inner ? Any(inner, depth + 1) : null;
                    return map;
            }
        return null;
    }

    private static object? Value(JsonElement value, int depth)
    {
        EnsureDepth(depth);
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                return Storable(Text(value));
            case JsonValueKind.Number:
                return value.TryGetInt64(out var whole) ? whole : value.TryGetDouble(out var real) && double.IsFinite(real) ? real : null;
            case JsonValueKind.True or JsonValueKind.False:
                return value.ValueKind == JsonValueKind.True;
            case JsonValueKind.Array:
                return value.EnumerateArray().Select(v => Value(v, depth + 1)).ToList();
            case JsonValueKind.Object:
                var map = new Dictionary<string, object?>();
                foreach (var field in value.EnumerateObject())
                    map[Storable(field.Name)] = Value(field.Value, depth + 1);
                return map;
            default:
                return null;
        }
    }

    /// <summary>"0x…", hexadecimal or base64, as 16 hexadecimal digits; anything else stays what it is and is refused as an id.</summary>
    private static string Id(string text)
    {
        if (text.Length == 0)
            return "";
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return text[2..].ToLowerInvariant().PadLeft(16, '0');
        if (text.Length == 16)
            return text.ToLowerInvariant();
        Span<byte> bytes = stackalloc byte[8];
        return text.Length <= 12 && Convert.TryFromBase64String(text, bytes, out var written) && written == 8 ? Convert.ToHexStringLower(bytes) : text;
    }

    private static ulong Nanos(JsonElement? value) => ulong.TryParse(Text(value), NumberStyles.None, CultureInfo.InvariantCulture, out var nanos) ? nanos : 0;

    private static IEnumerable<JsonElement> List(JsonElement parent, string name) => (parent.ValueKind == JsonValueKind.Object ? Find(parent, name) : null) switch
    {
        null or { ValueKind: JsonValueKind.Null } => [],
        { ValueKind: JsonValueKind.Array } list => list.EnumerateArray(),
        _ => throw Wrong($"'{name}' is not a list."),
    };

    private static JsonElement? Find(JsonElement parent, params ReadOnlySpan<string> names)
    {
        if (parent.ValueKind != JsonValueKind.Object)
            return null;
        foreach (var name in names)
            if (parent.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
                return value;
        return null;
    }

    private static string Text(JsonElement? value)
    {
        try
        {
            return value switch { null => "", { ValueKind: JsonValueKind.String } text => text.GetString()!, { ValueKind: JsonValueKind.Number } number => number.GetRawText(), _ => throw Wrong("A text or a number is expected.") };
        }
        catch (InvalidOperationException)
        {
            throw Wrong("A text is not Unicode.");
        }
    }

    private static string Storable(string text) => TrackingLimits.IsStorable(text.Replace("\0", "", StringComparison.Ordinal)) ? text : throw Wrong("A text holds half a character.");

    private static void EnsureDepth(int depth)
    {
        if (depth > Deepest)
            throw Wrong($"An attribute holds values more than {Deepest} deep.");
    }

    private static LlmOpsException Wrong(string what) => LlmOpsException.Invalid($"The spans of the trace cannot be read. {what}");
}
