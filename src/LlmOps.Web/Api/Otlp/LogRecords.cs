using System.Text.Json;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Api.Otlp;

/// <summary>ExportLogsServiceRequest: the records that are results of evaluations are read, all others are only counted. The numbers are those of opentelemetry-proto 1.x.</summary>
/// <param name="Results">In the order of the request.</param>
/// <param name="Others">How many other records there are.</param>
internal sealed record LogRecords(IReadOnlyList<ReceivedResult> Results, long Others)
{
    // The name of an event was an attribute before it had a field of its own.
    private const string NameAttribute = "event.name";
    private static ReadOnlySpan<byte> EventBytes => "gen_ai.evaluation.result"u8;

    public static LogRecords Read(OtlpBody body) => !body.IsJson ? Read(body.Bytes.Span) : body.Bytes.IsEmpty ? new([], 0) : JsonTraces.Parse(body.Bytes, Read);

    private static LogRecords Read(ReadOnlySpan<byte> body)
    {
        List<ReceivedResult> results = [];
        var others = 0L;
        var request = new WireReader(body);
        while (request.Next())
            if (request.Field == 1)
                others += ReadResource(request.ReadBytes(), results);
            else
                request.Skip();
        return new(results, others);
    }

    private static long ReadResource(ReadOnlySpan<byte> bytes, List<ReceivedResult> results)
    {
        // Fields may come in any order, and every record needs the resource.
        Dictionary<string, object?> resource = [];
        var reader = new WireReader(bytes);
        while (reader.Next())
            if (reader.Field == 1)
                ProtobufTraces.ReadAttributes(reader.ReadBytes(), 1, resource);
            else
                reader.Skip();
        var others = 0L;
        reader = new(bytes);
        while (reader.Next())
            if (reader.Field == 2)
                others += ReadScope(reader.ReadBytes(), resource, results);
            else
                reader.Skip();
        return others;
    }

    private static long ReadScope(ReadOnlySpan<byte> bytes, Dictionary<string, object?> resource, List<ReceivedResult> results)
    {
        var others = 0L;
        var reader = new WireReader(bytes);
        while (reader.Next())
            if (reader.Field != 2)
                reader.Skip();
            // What does not hold the name cannot be such a record, and is not taken apart.
            else if (reader.ReadBytes() is var record && record.IndexOf(EventBytes) >= 0 && ReadRecord(record, resource) is { } result)
                results.Add(result);
            else
                others++;
        return others;
    }

    private static ReceivedResult? ReadRecord(ReadOnlySpan<byte> bytes, Dictionary<string, object?> resource)
    {
        var (trace, span, name) = ("", "", "");
        var (at, observed) = (0UL, 0UL);
        Dictionary<string, object?> attributes = [];
        var reader = new WireReader(bytes);
        while (reader.Next())
            switch (reader.Field)
            {
                case 1: at = reader.ReadFixed64(); break;
                case 6: ProtobufTraces.ReadAttribute(reader.ReadBytes(), attributes, 0); break;
                case 9: trace = reader.ReadId(); break;
                case 10: span = reader.ReadId(); break;
                case 11: observed = reader.ReadFixed64(); break;
                case 12: name = reader.ReadText(); break;
                default: reader.Skip(); break;
            }
        return Of(name, trace, span, at, observed, attributes, resource);
    }

    private static LogRecords Read(JsonElement request)
    {
        List<ReceivedResult> results = [];
        var others = 0L;
        foreach (var logs in JsonTraces.List(request, "resourceLogs"))
        {
            var resource = JsonTraces.Find(logs, "resource") is { } r ? JsonTraces.Attributes(r) : [];
            foreach (var record in JsonTraces.List(logs, "scopeLogs").SelectMany(s => JsonTraces.List(s, "logRecords")))
                if (record.ValueKind == JsonValueKind.Object && IsResult(record)
                    && Of(JsonTraces.Text(record, "eventName"), JsonTraces.Text(record, "traceId").ToLowerInvariant(), JsonTraces.Text(record, "spanId").ToLowerInvariant(), JsonTraces.Nanos(record, "timeUnixNano"), JsonTraces.Nanos(record, "observedTimeUnixNano"), JsonTraces.Attributes(record), resource) is { } result)
                    results.Add(result);
                else
                    others++;
        }
        return new(results, others);
    }

    private static bool IsResult(JsonElement record) => (JsonTraces.Find(record, "eventName") is { ValueKind: JsonValueKind.String } name && name.ValueEquals(EventBytes))
        || (JsonTraces.Find(record, "attributes") is { ValueKind: JsonValueKind.Array } attributes && attributes.EnumerateArray().Any(a => a.ValueKind == JsonValueKind.Object && JsonTraces.Find(a, "key") is { ValueKind: JsonValueKind.String } key && key.ValueEquals(NameAttribute)));

    /// <summary>Null for an event of another name.</summary>
    private static ReceivedResult? Of(string name, string trace, string span, ulong at, ulong observed, Dictionary<string, object?> attributes, Dictionary<string, object?> resource) =>
        (name.Length > 0 ? name : attributes.GetValueOrDefault(NameAttribute) as string) != KeepEvaluationResults.Event ? null
        : new() { TraceId = trace, SpanId = span, TimeNanos = at > 0 ? at : observed, Attributes = attributes, Resource = resource };
}
