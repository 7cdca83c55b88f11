using System.Globalization;
using System.Text.Json;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Api.Otlp;

/// <summary>ExportTraceServiceRequest in OTLP's JSON: names in lowerCamelCase, identifiers in hexadecimal, 64-bit numbers also as texts. Fields it does not know are passed over.</summary>
internal static class JsonTraces
{
    // A value inside a value takes four levels of JSON; the values' own limit is met first.
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 4 * ProtobufTraces.DeepestValue + 32 };
    private const int StatusError = 2;

    public static List<ReceivedSpan> Read(ReadOnlyMemory<byte> body) => Parse(body, request =>
    {
        var spans = new List<ReceivedSpan>();
        foreach (var resourceSpans in List(request, "resourceSpans"))
        {
            var resource = Find(resourceSpans, "resource") is { } r ? Attributes(r) : [];
            foreach (var scopeSpans in List(resourceSpans, "scopeSpans"))
            {
                var scope = Find(scopeSpans, "scope") is { } s ? Text(s, "name") : "";
                foreach (var span in List(scopeSpans, "spans"))
                    spans.Add(Span(span, resource, scope));
            }
        }
        return spans;
    });

    public static T Parse<T>(ReadOnlyMemory<byte> body, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(body, Options);
            return read(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new MalformedOtlpException($"The body is not JSON: look at line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1}.");
        }
        catch (InvalidOperationException)
        {
            // What the reader says of half a surrogate pair and of bytes that are no UTF-8.
            throw new MalformedOtlpException("A text in the body is not Unicode.");
        }
    }

    public static IEnumerable<JsonElement> List(JsonElement parent, string name) => Find(parent, name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list => list.EnumerateArray(),
        _ => throw new MalformedOtlpException($"'{name}' is not a list."),
    };

    public static JsonElement? Find(JsonElement parent, string name) =>
        parent.ValueKind != JsonValueKind.Object ? throw new MalformedOtlpException($"What should have '{name}' is not an object.")
        : parent.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static ReceivedSpan Span(JsonElement span, Dictionary<string, object?> resource, string scope)
    {
        var status = Find(span, "status");
        return new()
        {
            TraceId = Text(span, "traceId").ToLowerInvariant(), SpanId = Text(span, "spanId").ToLowerInvariant(), ParentSpanId = Text(span, "parentSpanId").ToLowerInvariant(), Name = Text(span, "name"),
            StartNanos = Nanos(span, "startTimeUnixNano"), EndNanos = Nanos(span, "endTimeUnixNano"), Attributes = Attributes(span), Resource = resource, Scope = scope,
            Events = [.. List(span, "events").Select(e => new ReceivedEvent(Text(e, "name"), Nanos(e, "timeUnixNano"), Attributes(e)))],
            Links = [.. List(span, "links").Select(l => new ReceivedLink(Text(l, "traceId").ToLowerInvariant(), Text(l, "spanId").ToLowerInvariant()))],
            Failed = status is { } s && Find(s, "code") is { } code && Whole(code, "code") == StatusError, StatusMessage = status is { } told ? Text(told, "message") : "",
        };
    }

    internal static Dictionary<string, object?> Attributes(JsonElement parent, string name = "attributes", int depth = 0)
    {
        var attributes = new Dictionary<string, object?>();
        foreach (var pair in List(parent, name))
            attributes[Text(pair, "key")] = Find(pair, "value") is { } value ? Value(value, depth) : null;
        return attributes;
    }

    private static object? Value(JsonElement value, int depth)
    {
        if (depth > ProtobufTraces.DeepestValue)
            throw new MalformedOtlpException($"An attribute holds values more than {ProtobufTraces.DeepestValue} deep.");
        if (value.ValueKind != JsonValueKind.Object)
            throw new MalformedOtlpException("The value of an attribute is not an object such as {\"stringValue\":\"…\"}.");
        foreach (var field in value.EnumerateObject())
            switch (field.Name)
            {
                case "stringValue" or "bytesValue": return Text(value, field.Name);
                case "boolValue": return field.Value.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => throw new MalformedOtlpException("'boolValue' is neither true nor false.") };
                case "intValue": return Whole(field.Value, field.Name);
                case "doubleValue": return Real(field.Value);
                case "arrayValue": return List(field.Value, "values").Select(v => Value(v, depth + 1)).ToList();
                case "kvlistValue": return Attributes(field.Value, "values", depth + 1);
            }
        return null;
    }

    internal static string Text(JsonElement parent, string name) => Find(parent, name) switch
    {
        null => "",
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        _ => throw new MalformedOtlpException($"'{name}' is not a text."),
    };

    internal static ulong Nanos(JsonElement parent, string name) => Find(parent, name) switch
    {
        null => 0,
        { ValueKind: JsonValueKind.Number } number when number.TryGetUInt64(out var nanos) => nanos,
        { ValueKind: JsonValueKind.String } text when ulong.TryParse(text.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out var nanos) => nanos,
        _ => throw new MalformedOtlpException($"'{name}' is not a number of nanoseconds."),
    };

    private static long Whole(JsonElement value, string name) => value switch
    {
        { ValueKind: JsonValueKind.Number } when value.TryGetInt64(out var number) => number,
        { ValueKind: JsonValueKind.String } when long.TryParse(value.GetString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) => number,
        _ => throw new MalformedOtlpException($"'{name}' is not a whole number of 64 bits."),
    };

    private static double Real(JsonElement value) => value switch
    {
        { ValueKind: JsonValueKind.Number } when value.TryGetDouble(out var number) => number,
        { ValueKind: JsonValueKind.String } when double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        _ => throw new MalformedOtlpException("'doubleValue' is not a number."),
    };
}
