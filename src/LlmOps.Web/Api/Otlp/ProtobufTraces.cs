using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Api.Otlp;

/// <summary>ExportTraceServiceRequest in protobuf. The numbers are those of opentelemetry-proto 1.x.</summary>
internal static class ProtobufTraces
{
    /// <summary>Values may hold values; what nobody writes by hand must not use up the stack.</summary>
    public const int DeepestValue = 32;

    private const int StatusError = 2;

    public static List<ReceivedSpan> Read(ReadOnlySpan<byte> body)
    {
        var spans = new List<ReceivedSpan>();
        var request = new WireReader(body);
        while (request.Next())
            if (request.Field == 1)
                ReadResourceSpans(request.ReadBytes(), spans);
            else
                request.Skip();
        return spans;
    }

    private static void ReadResourceSpans(ReadOnlySpan<byte> bytes, List<ReceivedSpan> spans)
    {
        Dictionary<string, object?> resource = [];
        // Fields may come in any order, and every span needs the resource.
        var reader = new WireReader(bytes);
        while (reader.Next())
            if (reader.Field == 1)
                ReadAttributes(reader.ReadBytes(), 1, resource);
            else
                reader.Skip();
        reader = new(bytes);
        while (reader.Next())
            if (reader.Field == 2)
                ReadScopeSpans(reader.ReadBytes(), resource, spans);
            else
                reader.Skip();
    }

    private static void ReadScopeSpans(ReadOnlySpan<byte> bytes, Dictionary<string, object?> resource, List<ReceivedSpan> spans)
    {
        var scope = "";
        var reader = new WireReader(bytes);
        while (reader.Next())
            if (reader.Field == 1)
                scope = ReadScopeName(reader.ReadBytes());
            else
                reader.Skip();
        reader = new(bytes);
        while (reader.Next())
            if (reader.Field == 2)
                spans.Add(ReadSpan(reader.ReadBytes(), resource, scope));
            else
                reader.Skip();
    }

    private static string ReadScopeName(ReadOnlySpan<byte> bytes)
    {
        var name = "";
        var reader = new WireReader(bytes);
        while (reader.Next())
            if (reader.Field == 1)
                name = reader.ReadText();
            else
                reader.Skip();
        return name;
    }

    private static ReceivedSpan ReadSpan(ReadOnlySpan<byte> bytes, Dictionary<string, object?> resource, string scope)
    {
        var (trace, id, parent, name, message) = ("", "", "", "", "");
        var (start, end, failed) = (0UL, 0UL, false);
        Dictionary<string, object?> attributes = [];
        List<ReceivedEvent> events = [];
        List<ReceivedLink> links = [];
        var reader = new WireReader(bytes);
        while (reader.Next())
            switch (reader.Field)
            {
                case 1: trace = reader.ReadId(); break;
                case 2: id = reader.ReadId(); break;
                case 4: parent = reader.ReadId(); break;
                case 5: name = reader.ReadText(); break;
                case 7: start = reader.ReadFixed64(); break;
                case 8: end = reader.ReadFixed64(); break;
                case 9: ReadAttribute(reader.ReadBytes(), attributes, 0); break;
                case 11: events.Add(ReadEvent(reader.ReadBytes())); break;
                case 13: links.Add(ReadLink(reader.ReadBytes())); break;
                case 15: (failed, message) = ReadStatus(reader.ReadBytes()); break;
                default: reader.Skip(); break;
            }
        return new()
        {
            TraceId = trace, SpanId = id, ParentSpanId = parent, Name = name, StartNanos = start, EndNanos = end, Attributes = attributes, Events = events, Links = links,
            Failed = failed, StatusMessage = message, Resource = resource, Scope = scope,
        };
    }

    private static ReceivedEvent ReadEvent(ReadOnlySpan<byte> bytes)
    {
        var (name, time) = ("", 0UL);
        Dictionary<string, object?> attributes = [];
        var reader = new WireReader(bytes);
        while (reader.Next())
            switch (reader.Field)
            {
                case 1: time = reader.ReadFixed64(); break;
                case 2: name = reader.ReadText(); break;
                case 3: ReadAttribute(reader.ReadBytes(), attributes, 0); break;
                default: reader.Skip(); break;
            }
        return new(name, time, attributes);
    }

    private static ReceivedLink ReadLink(ReadOnlySpan<byte> bytes)
    {
        var (trace, span) = ("", "");
        var reader = new WireReader(bytes);
        while (reader.Next())
            switch (reader.Field)
            {
                case 1: trace = reader.ReadId(); break;
                case 2: span = reader.ReadId(); break;
                default: reader.Skip(); break;
            }
        return new(trace, span);
    }

    private static (bool Failed, string Message) ReadStatus(ReadOnlySpan<byte> bytes)
    {
        var (code, message) = (0UL, "");
        var reader = new WireReader(bytes);
        while (reader.Next())
            switch (reader.Field)
            {
                case 2: message = reader.ReadText(); break;
                case 3: code = reader.ReadNumber(); break;
                default: reader.Skip(); break;
            }
        return (code == StatusError, message);
    }

    internal static void ReadAttributes(ReadOnlySpan<byte> bytes, int field, Dictionary<string, object?> into, int depth = 0)
    {
        var reader = new WireReader(bytes);
        while (reader.Next())
            if (reader.Field == field)
                ReadAttribute(reader.ReadBytes(), into, depth);
            else
                reader.Skip();
    }

    internal static void ReadAttribute(ReadOnlySpan<byte> bytes, Dictionary<string, object?> into, int depth)
    {
        var key = "";
        var reader = new WireReader(bytes);
        object? value = null;
        while (reader.Next())
            switch (reader.Field)
            {
                case 1: key = reader.ReadText(); break;
                case 2: value = ReadValue(reader.ReadBytes(), depth); break;
                default: reader.Skip(); break;
            }
        into[key] = value;
    }

    private static object? ReadValue(ReadOnlySpan<byte> bytes, int depth)
    {
        if (depth > DeepestValue)
            throw new MalformedOtlpException($"An attribute holds values more than {DeepestValue} deep.");
        object? value = null;
        var reader = new WireReader(bytes);
        while (reader.Next())
            switch (reader.Field)
            {
                case 1: value = reader.ReadText(); break;
                case 2: value = reader.ReadNumber() != 0; break;
                case 3: value = (long)reader.ReadNumber(); break;
                case 4: value = reader.ReadDouble(); break;
                case 5: value = ReadList(reader.ReadBytes(), depth + 1); break;
                case 6:
                    var map = new Dictionary<string, object?>();
                    ReadAttributes(reader.ReadBytes(), 1, map, depth + 1);
                    value = map;
                    break;
                case 7: value = Convert.ToBase64String(reader.ReadBytes()); break;
                default: reader.Skip(); break;
            }
        return value;
    }

    private static List<object?> ReadList(ReadOnlySpan<byte> bytes, int depth)
    {
        List<object?> list = [];
        var reader = new WireReader(bytes);
        while (reader.Next())
            if (reader.Field == 1)
                list.Add(ReadValue(reader.ReadBytes(), depth));
            else
                reader.Skip();
        return list;
    }
}
