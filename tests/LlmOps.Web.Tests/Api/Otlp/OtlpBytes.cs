using Google.Protobuf;

namespace LlmOps.Web.Tests.Api.Otlp;

/// <summary>Requests of exporters, written with Google's library and the field numbers of opentelemetry-proto.</summary>
internal static class OtlpBytes
{
    private static ByteString Message(Action<CodedOutputStream> write)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
            write(output);
        return ByteString.CopyFrom(stream.ToArray());
    }

    private static void Field(this CodedOutputStream output, int field, ByteString bytes)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(bytes);
    }

    private static void Text(this CodedOutputStream output, int field, string text) => output.Field(field, ByteString.CopyFromUtf8(text));

    private static void Fixed(this CodedOutputStream output, int field, ulong value)
    {
        output.WriteTag(field, WireFormat.WireType.Fixed64);
        output.WriteFixed64(value);
    }

    private static void Number(this CodedOutputStream output, int field, long value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteInt64(value);
    }

    public static ByteString Value(object? value) => Message(o =>
    {
        switch (value)
        {
            case string text: o.Text(1, text); break;
            case bool truth: o.Number(2, truth ? 1 : 0); break;
            case long number: o.Number(3, number); break;
            case double real: o.Fixed(4, BitConverter.DoubleToUInt64Bits(real)); break;
            case object?[] list: o.Field(5, Message(l => { foreach (var item in list) l.Field(1, Value(item)); })); break;
            case Dictionary<string, object?> map: o.Field(6, Message(m => { foreach (var pair in map) m.Field(1, Attribute(pair.Key, pair.Value)); })); break;
        }
    });

    public static ByteString Attribute(string key, object? value) => Message(o => { o.Text(1, key); o.Field(2, Value(value)); });

    public static ByteString Span(string trace, string span, string name, ulong start, ulong end, int status, params (string Key, object? Value)[] attributes) => Message(o =>
    {
        // In another order than the numbers, as any sender may; and a field nobody knows.
        foreach (var (key, value) in attributes)
            o.Field(9, Attribute(key, value));
        o.Text(500, "from the future");
        o.Field(1, ByteString.CopyFrom(Convert.FromHexString(trace)));
        o.Field(2, ByteString.CopyFrom(Convert.FromHexString(span)));
        o.Text(5, name);
        o.Fixed(7, start);
        o.Fixed(8, end);
        o.Field(15, Message(s => { s.Text(2, status == 2 ? "broke" : ""); s.Number(3, status); }));
    });

    /// <summary>The spans come before the resource that they belong to.</summary>
    public static byte[] Request(string service, params ByteString[] spans) => Message(o => o.Field(1, Message(r =>
    {
        r.Field(2, Message(s => { foreach (var span in spans) s.Field(2, span); s.Field(1, Message(n => n.Text(1, "test"))); }));
        r.Field(1, Message(a => a.Field(1, Attribute("service.name", service))));
    }))).ToByteArray();

    public static byte[] Logs(int records) => Message(o => o.Field(1, Message(r => r.Field(2, Message(s => { for (var i = 0; i < records; i++) s.Field(2, ByteString.Empty); }))))).ToByteArray();

    /// <summary>A log record; the name goes into its own field or, as before there was one, into an attribute.</summary>
    public static ByteString LogRecord(string trace, string span, string name, bool nameAsAttribute, ulong time, params (string Key, object? Value)[] attributes) => Message(o =>
    {
        if (nameAsAttribute)
            o.Field(6, Attribute("event.name", name));
        else
            o.Text(12, name);
        foreach (var (key, value) in attributes)
            o.Field(6, Attribute(key, value));
        o.Field(5, Value("a body"));
        o.Fixed(1, time);
        o.Field(9, ByteString.CopyFrom(Convert.FromHexString(trace)));
        o.Field(10, ByteString.CopyFrom(Convert.FromHexString(span)));
        o.WriteTag(8, WireFormat.WireType.Fixed32);
        o.WriteFixed32(1);
    });

    /// <summary>The records come before the resource that they belong to.</summary>
    public static byte[] LogRequest(string service, params ByteString[] records) => Message(o => o.Field(1, Message(r =>
    {
        r.Field(2, Message(s => { foreach (var record in records) s.Field(2, record); }));
        r.Field(1, Message(a => a.Field(1, Attribute("service.name", service))));
    }))).ToByteArray();

    /// <summary>A gauge and a histogram with so many points each.</summary>
    public static byte[] Metrics(int points) => Message(o => o.Field(1, Message(r => r.Field(2, Message(s =>
    {
        foreach (var kind in new[] { 5, 9 })
            s.Field(2, Message(m => { m.Text(1, "name"); m.Field(kind, Message(g => { for (var i = 0; i < points; i++) g.Field(1, ByteString.Empty); })); }));
    }))))).ToByteArray();

    public static byte[] DeepValue(int depth)
    {
        var value = Value("bottom");
        for (var i = 0; i < depth; i++)
        {
            var inner = value;
            value = Message(o => o.Field(5, Message(l => l.Field(1, inner))));
        }
        var attribute = Message(o => { o.Text(1, "deep"); o.Field(2, value); });
        return Request("deep", Message(o => o.Field(9, attribute)));
    }
}
