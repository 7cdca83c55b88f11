using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace LlmOps.Benchmarks.Load;

/// <summary>
/// An ExportTraceServiceRequest as an exporter sends it: traces of four spans (a workflow, a retrieval, a chat with its conversation and its tokens, a call over HTTP),
/// seven to fourteen attributes each. Identifiers and times are put in where they lie.
/// </summary>
internal sealed class TraceBody
{
    private const string Question = "How do I move the alias champion of a registered model to the version that passed its gate, and who has to approve that?";
    private const string Answer = "Ask for a promotion of the version on its page or with the command line. A person with the role of a release manager who did not train it approves, and the alias moves in the same transaction as the entry in the audit trail. Until then the alias stays where it is.";
    private readonly List<int> traceIds = [], spanIds = [], parentIds = [], times = [];
    private readonly List<byte> written = [];
    private readonly int spans;

    public TraceBody(int spans)
    {
        this.spans = spans;
        var (resource, scope) = (Attributes(1, [("service.name", "assistant"), ("service.version", "1.4.2"), ("telemetry.sdk.language", "nodejs"), ("telemetry.sdk.name", "opentelemetry"), ("host.name", "worker-7")]), Text(1, "assistant-tracer"));
        // Lengths stand in front, so spans are written first and their places moved.
        for (var i = 0; i < spans; i++)
            Span(i % 4);
        var body = written.ToArray();
        var scopeSpans = Concat(Field(1, scope), body);
        var resourceSpans = Concat(Field(1, resource), Field(2, scopeSpans));
        Bytes = Field(1, resourceSpans);
        var moved = Bytes.Length - body.Length;
        foreach (var places in new[] { traceIds, spanIds, parentIds, times })
            for (var i = 0; i < places.Count; i++)
                places[i] += moved;
    }

    public byte[] Bytes { get; }

    /// <param name="number">No two bodies may have the same.</param>
    public void Put(ulong number)
    {
        for (var i = 0; i < spans; i++)
        {
            var (trace, root) = (number * 1_000 + (ulong)(i / 4) + 1, i / 4 * 4);
            var mixed = (trace * 0x9E3779B97F4A7C15) ^ 0x5DEECE66D;
            BinaryPrimitives.WriteUInt64BigEndian(Bytes.AsSpan(traceIds[i]), mixed);
            BinaryPrimitives.WriteUInt64BigEndian(Bytes.AsSpan(traceIds[i] + 8), trace);
            BinaryPrimitives.WriteUInt64BigEndian(Bytes.AsSpan(spanIds[i]), mixed + (ulong)i);
            if (i > root)
                BinaryPrimitives.WriteUInt64BigEndian(Bytes.AsSpan(parentIds[i]), mixed + (ulong)root);
            BinaryPrimitives.WriteUInt64LittleEndian(Bytes.AsSpan(times[2 * i]), 1_764_000_000_000_000_000 + number * 50_000_000 + (ulong)i * 90_000);
            BinaryPrimitives.WriteUInt64LittleEndian(Bytes.AsSpan(times[2 * i + 1]), 1_764_000_000_000_000_000 + number * 50_000_000 + (ulong)i * 90_000 + 740_000_000);
        }
    }

    public byte[] Packed()
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest))
            gzip.Write(Bytes);
        return target.ToArray();
    }

    private void Span(int kind)
    {
        var span = new MemoryStream();
        List<int> places = [];
        void Place(byte tag, int length)
        {
            span.WriteByte(tag);
            if (length is 8 or 16 && (tag & 7) == 2)
                span.WriteByte((byte)length);
            places.Add((int)span.Position);
            span.Write(new byte[length]);
        }
        Place(1 << 3 | 2, 16);
        Place(2 << 3 | 2, 8);
        if (kind > 0)
            Place(4 << 3 | 2, 8);
        span.Write(Text(5, kind switch { 0 => "answer question", 1 => "retrieval handbook", 2 => "chat gpt-4o-mini", _ => "POST" }));
        Place(7 << 3 | 1, 8);
        Place(8 << 3 | 1, 8);
        span.Write(Attributes(9, kind switch
        {
            0 => [("gen_ai.operation.name", "invoke_workflow"), ("gen_ai.workflow.name", "handbook"), ("gen_ai.conversation.id", "conversation-81"), ("user.tier", "team"), ("app.release", "2026.11"), ("thread.id", 7L), ("feature.reranked", true)],
            1 => [("gen_ai.operation.name", "retrieval"), ("gen_ai.data_source.id", "handbook"), ("gen_ai.retrieval.query.text", Question), ("retrieval.top_k", 8L), ("retrieval.score.best", 0.8731), ("thread.id", 7L), ("app.release", "2026.11")],
            2 => [("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "openai"), ("gen_ai.request.model", "gpt-4o-mini"), ("gen_ai.response.model", "gpt-4o-mini-2024-07-18"), ("gen_ai.response.id", "chatcmpl-B8xQ2kPz0Y"), ("gen_ai.usage.input_tokens", 812L),
                  ("gen_ai.usage.output_tokens", 96L), ("gen_ai.request.temperature", 0.2), ("gen_ai.request.max_tokens", 512L), ("gen_ai.conversation.id", "conversation-81"), ("gen_ai.input.messages", $$"""[{"role":"user","parts":[{"type":"text","content":"{{Question}}"}]}]"""),
                  ("gen_ai.output.messages", $$"""[{"role":"assistant","parts":[{"type":"text","content":"{{Answer}}"}],"finish_reason":"stop"}]"""), ("server.address", "api.openai.com"), ("server.port", 443L)],
            _ => [("http.request.method", "POST"), ("url.full", "https://api.openai.com/v1/chat/completions"), ("http.response.status_code", 200L), ("server.address", "api.openai.com"), ("server.port", 443L), ("network.protocol.version", "1.1"), ("thread.id", 7L), ("http.request.body.size", 3120L)],
        }));
        var bytes = span.ToArray();
        var field = Field(2, bytes);
        var at = written.Count + field.Length - bytes.Length;
        traceIds.Add(at + places[0]);
        spanIds.Add(at + places[1]);
        parentIds.Add(kind > 0 ? at + places[2] : 0);
        times.AddRange(places[^2..].Select(p => at + p));
        written.AddRange(field);
    }

    private static byte[] Attributes(int field, IReadOnlyList<(string Key, object Value)> attributes) => [.. attributes.SelectMany(a => Field(field, Concat(Text(1, a.Key), Field(2, a.Value switch
    {
        string text => Text(1, text),
        bool truth => [2 << 3, truth ? (byte)1 : (byte)0],
        long whole => [3 << 3, .. Varint((ulong)whole)],
        double real => [4 << 3 | 1, .. BitConverter.GetBytes(real)],
        _ => throw new ArgumentException(a.Key),
    }))))];

    private static byte[] Text(int field, string text) => Field(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Field(int field, byte[] value) => [.. Varint((ulong)(field << 3 | 2)), .. Varint((ulong)value.Length), .. value];

    private static byte[] Concat(byte[] one, byte[] other) => [.. one, .. other];

    private static byte[] Varint(ulong value)
    {
        List<byte> bytes = [];
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
        return [.. bytes];
    }
}
