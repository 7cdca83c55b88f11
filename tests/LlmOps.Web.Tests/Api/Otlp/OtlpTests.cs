using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Api.Otlp;

public sealed class OtlpTests(WebProduct product)
{
    private const string Protobuf = "application/x-protobuf", JsonType = "application/json";
    private const ulong Start = 1_700_000_000_000_000_000, End = 1_700_000_000_250_000_000;

    private static string NewTrace() => Guid.NewGuid().ToString("N");

    private static async Task<HttpResponseMessage> PostAsync(HttpClient client, string path, byte[] body, string? type, string? encoding = null)
    {
        using var content = new ByteArrayContent(body);
        if (type is not null)
            content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        if (encoding is not null)
            content.Headers.ContentEncoding.Add(encoding);
        return await client.PostAsync(new Uri(path, UriKind.Relative), content);
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(bytes);
        return packed.ToArray();
    }

    private async Task<List<Span>> StoredAsync(string trace)
    {
        await using var db = await product.Get<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync();
        return await db.Spans.AsNoTracking().Where(s => s.TraceId == trace).OrderBy(s => s.SpanId).ToListAsync();
    }

    private static byte[] Example(string trace) => OtlpBytes.Request("shop",
        OtlpBytes.Span(trace, "00000000000000a1", "chat gpt-x", Start, End, 0, ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-x"), ("gen_ai.usage.input_tokens", 12L), ("gen_ai.usage.output_tokens", 3L),
            ("gen_ai.input.messages", """[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"""), ("flags", new object?[] { true, 0.5, -7L, new Dictionary<string, object?> { ["k"] = "v" } })),
        OtlpBytes.Span(trace, "00000000000000a2", "broken", Start, End, 2));

    private static string ExampleJson(string trace) => """
        {"futureField":{"a":[1]},"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"test"},"spans":[
        {"traceId":"UPPER","spanId":"00000000000000A1","name":"chat gpt-x","kind":3,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1700000000250000000,"status":{"code":0},"attributes":[
          {"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-x"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"12"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":3}},
          {"key":"gen_ai.input.messages","value":{"stringValue":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"hi\"}]}]"}},
          {"key":"flags","value":{"arrayValue":{"values":[{"boolValue":true},{"doubleValue":0.5},{"intValue":"-7"},{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}}]}}}]},
        {"traceId":"LOWER","spanId":"00000000000000a2","name":"broken","startTimeUnixNano":1700000000000000000,"endTimeUnixNano":"1700000000250000000","status":{"code":2,"message":"broke"}}]}]}]}
        """.Replace("UPPER", trace.ToUpperInvariant(), StringComparison.Ordinal).Replace("LOWER", trace, StringComparison.Ordinal);

    [Theory]
    [InlineData(false, false, "/v1/traces")]
    [InlineData(true, false, "/v1/traces")]
    [InlineData(false, true, "/v1/traces")]
    [InlineData(true, true, "/api/public/otel/v1/traces")]
    public async Task Spans_AreStoredAlike_InEveryForm(bool json, bool packed, string path)
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        var trace = NewTrace();
        var body = json ? Encoding.UTF8.GetBytes(ExampleJson(trace)) : Example(trace);
        using var answer = await PostAsync(client, path, packed ? Gzip(body) : body, json ? JsonType + "; charset=utf-8" : Protobuf, packed ? "gzip" : null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(json ? JsonType : Protobuf, answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal(json ? "{}" : "", await answer.Content.ReadAsStringAsync());

        var spans = await StoredAsync(trace);
        Assert.Equal(["00000000000000a1", "00000000000000a2"], spans.Select(s => s.SpanId));
        var chat = spans[0];
        Assert.Equal(("chat gpt-x", "chat", "gpt-x", "shop", 12, 3, 250.0, null), (chat.Name, chat.Kind, chat.Model, chat.ServiceName, chat.InputTokens, chat.OutputTokens, chat.DurationMs, chat.Error));
        Assert.Equal(1_700_000_000_000, chat.StartedAt.ToUnixTimeMilliseconds());
        Assert.Equal("""[{"role":"user","parts":[{"type":"text","content":"hi"}]}]""", chat.Input);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""[true,0.5,-7,{"k":"v"}]"""), JsonNode.Parse(chat.AttributesJson)!["flags"]), chat.AttributesJson);
        Assert.Equal("broke", spans[1].Error);
    }

    [Fact]
    public async Task SpansThatCannotBeKept_AreSaidInPartialSuccess()
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        var trace = NewTrace();
        var body = OtlpBytes.Request("shop", OtlpBytes.Span(trace, "00000000000000a1", "good", Start, End, 0), OtlpBytes.Span(trace, "00", "bad", Start, End, 0));
        using var answer = await PostAsync(client, "/v1/traces", body, Protobuf);
        const string Why = "span_id is not 8 bytes with at least one that is not zero.";
        // field 1 { field 1: 1, field 2: why }
        Assert.Equal([0x0A, (byte)(Why.Length + 4), 0x08, 1, 0x12, (byte)Why.Length, .. Encoding.UTF8.GetBytes(Why)], await answer.Content.ReadAsByteArrayAsync());
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var inJson = await PostAsync(client, "/v1/traces", Encoding.UTF8.GetBytes("""{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}"""), JsonType);
        Assert.Equal("""{"partialSuccess":{"rejectedSpans":"1","errorMessage":"trace_id is not 16 bytes with at least one that is not zero."}}""", await inJson.Content.ReadAsStringAsync());
        Assert.Single(await StoredAsync(trace));
    }

    [Fact]
    public async Task AnEmptyRequest_IsASuccess()
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        foreach (var path in new[] { "/v1/traces", "/v1/metrics", "/v1/logs" })
            foreach (var (type, body, expected) in new[] { (Protobuf, "", ""), (JsonType, "", "{}"), (JsonType, "{}", "{}") })
            {
                using var answer = await PostAsync(client, path, Encoding.UTF8.GetBytes(body), type);
                Assert.Equal((HttpStatusCode.OK, expected), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
            }
    }

    [Fact]
    public async Task MetricsAndLogs_AreCountedDropped_AndSaidToBe()
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        using var logs = await PostAsync(client, "/v1/logs", OtlpBytes.Logs(3), Protobuf);
        var input = new CodedInputStream(await logs.Content.ReadAsByteArrayAsync());
        Assert.Equal(10u, input.ReadTag());
        var partial = input.ReadBytes().CreateCodedInput();
        Assert.Equal((8u, 3L, 18u), (partial.ReadTag(), partial.ReadInt64(), partial.ReadTag()));
        Assert.StartsWith("LlmOps keeps traces only, so these log records were counted and dropped.", partial.ReadString(), StringComparison.Ordinal);
        using var metrics = await PostAsync(client, "/v1/metrics", OtlpBytes.Metrics(4), Protobuf);
        input = new(await metrics.Content.ReadAsByteArrayAsync());
        Assert.Equal(10u, input.ReadTag());
        partial = input.ReadBytes().CreateCodedInput();
        Assert.Equal((8u, 8L), (partial.ReadTag(), partial.ReadInt64()));
        using var json = await PostAsync(client, "/v1/metrics", Encoding.UTF8.GetBytes("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{"dataPoints":[{},{}]}}]}]}]}"""), JsonType);
        Assert.Equal("2", (string?)JsonNode.Parse(await json.Content.ReadAsStringAsync())!["partialSuccess"]!["rejectedDataPoints"]);
    }

    [Fact]
    public async Task ResultsOfEvaluations_AmongLogs_BecomeFeedback_InEveryForm_Once()
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        var trace = NewTrace();
        const string Event = "gen_ai.evaluation.result", Span = "00000000000000a1";
        (string, object?)[] good = [("gen_ai.evaluation.name", "relevance"), ("gen_ai.evaluation.score.value", 0.75), ("gen_ai.evaluation.score.label", "good"), ("gen_ai.evaluation.explanation", "It answers.")];
        var body = OtlpBytes.LogRequest("judge", OtlpBytes.LogRecord(trace, Span, Event, false, Start, good), OtlpBytes.LogRecord(trace, "", Event, true, Start, ("gen_ai.evaluation.name", "tone"), ("gen_ai.evaluation.score.label", "kind")),
            OtlpBytes.LogRecord(trace, Span, "another.event", false, Start, ("about", Event)), OtlpBytes.LogRecord(trace, Span, Event, false, Start, ("gen_ai.evaluation.name", "empty")));
        var json = Encoding.UTF8.GetBytes($$$"""
            {"resourceLogs":[{"scopeLogs":[{"logRecords":[
              {"timeUnixNano":"{{{Start}}}","traceId":"{{{trace.ToUpperInvariant()}}}","spanId":"{{{Span}}}","eventName":"{{{Event}}}","attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"relevance"}},{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":0.75}},{"key":"gen_ai.evaluation.score.label","value":{"stringValue":"good"}},{"key":"gen_ai.evaluation.explanation","value":{"stringValue":"It answers."}}]},
              {"observedTimeUnixNano":{{{Start}}},"traceId":"{{{trace}}}","attributes":[{"key":"event.name","value":{"stringValue":"{{{Event}}}"}},{"key":"gen_ai.evaluation.name","value":{"stringValue":"tone"}},{"key":"gen_ai.evaluation.score.label","value":{"stringValue":"kind"}}]},
              {"eventName":"another.event","body":{"stringValue":"{{{Event}}}"}},
              {"eventName":"{{{Event}}}","traceId":"{{{trace}}}","attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"empty"}}]}]}],
              "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"judge"}}]}}]}
            """);
        foreach (var (bytes, type, encoding) in new[] { (body, Protobuf, null), (json, JsonType, null), (Gzip(body), Protobuf, "gzip"), (Gzip(json), JsonType, "gzip") })
        {
            using var answer = await PostAsync(client, type == JsonType ? "/api/public/otel/v1/logs" : "/v1/logs", bytes, type, encoding);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            if (type == JsonType)
            {
                var partial = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["partialSuccess"]!;
                Assert.Equal("2", (string?)partial["rejectedLogRecords"]);
                Assert.Matches("^LlmOps keeps traces only, so these log records were counted and dropped.* an evaluation result has neither", (string?)partial["errorMessage"]);
            }
        }
        await using var db = await product.Get<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync();
        var said = await db.Assessments.AsNoTracking().Where(a => a.TraceId == trace).OrderBy(a => a.Name).ToListAsync();
        Assert.Equal([("relevance", "0.75", Span, "It answers.", "judge"), ("tone", "\"kind\"", null, null, "judge")], said.Select(a => (a.Name, a.ValueJson, a.SpanId, a.Rationale, a.SourceId)));
        // alone, and without anything to say about: an empty answer
        using var only = await PostAsync(client, "/v1/logs", OtlpBytes.LogRequest("judge", OtlpBytes.LogRecord(trace, Span, Event, false, Start, good)), Protobuf);
        Assert.Equal((HttpStatusCode.OK, ""), (only.StatusCode, await only.Content.ReadAsStringAsync()));
    }

    [Theory]
    [InlineData(JsonType, "{\"resourceSpans\":", null, 400, "BAD_REQUEST: The body is not JSON")]
    [InlineData(JsonType, "[]", null, 400, "BAD_REQUEST: What should have 'resourceSpans' is not an object.")]
    [InlineData(JsonType, "{\"resourceSpans\":{}}", null, 400, "BAD_REQUEST: 'resourceSpans' is not a list.")]
    [InlineData(JsonType, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\\ud800\"}]}]}]}", null, 400, "BAD_REQUEST: A text in the body is not Unicode.")]
    [InlineData(JsonType, "plain", "gzip", 400, "BAD_REQUEST: The body says that it is packed with gzip, and is not.")]
    [InlineData(JsonType, "{}", "br", 415, "BAD_REQUEST: This address takes bodies as they are or packed with gzip.")]
    [InlineData("text/plain", "{}", null, 415, "BAD_REQUEST: This address takes 'application/x-protobuf' and 'application/json'.")]
    [InlineData(null, "{}", null, 415, "BAD_REQUEST: This address takes 'application/x-protobuf' and 'application/json'.")]
    public async Task WhatIsNoOtlp_IsRefusedWithAStatus(string? type, string body, string? encoding, int status, string message)
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        using var answer = await PostAsync(client, "/v1/traces", Encoding.UTF8.GetBytes(body), type, encoding);
        var told = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal((status, 3), ((int)answer.StatusCode, (int)told["code"]!));
        Assert.StartsWith(message, (string)told["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MalformedProtobuf_IsRefusedInProtobuf()
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        foreach (var body in new byte[][] { [0x0A, 0x7F], [0x0A], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0x03], [0x00], OtlpBytes.DeepValue(5000) })
        {
            using var answer = await PostAsync(client, "/v1/traces", body, Protobuf);
            Assert.Equal((HttpStatusCode.BadRequest, Protobuf), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
            var input = new CodedInputStream(await answer.Content.ReadAsByteArrayAsync());
            Assert.Equal((8u, 3, 18u), (input.ReadTag(), input.ReadInt32(), input.ReadTag()));
            Assert.StartsWith("BAD_REQUEST: ", input.ReadString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task TooMuch_IsRefused_SentOrUnpacked()
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        var large = new byte[20 * 1024 * 1024 + 1];
        using var sent = await PostAsync(client, "/v1/traces", large, Protobuf);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, sent.StatusCode);
        using var unpacked = await PostAsync(client, "/v1/traces", Gzip(large), JsonType, "gzip");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, unpacked.StatusCode);
        Assert.Equal("""{"code":8,"message":"REQUEST_LIMIT_EXCEEDED: The request is larger than this address takes."}""", await unpacked.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task WithoutAToken_OrWithOneThatOnlyReads_NothingIsTaken()
    {
        using var visitor = product.Visitor();
        using var reader = await product.ProgramAsync(Roles.Engineer, Permission.Read);
        var trace = NewTrace();
        using var first = await PostAsync(visitor, "/v1/traces", Example(trace), Protobuf);
        using var second = await PostAsync(reader, "/v1/traces", Example(trace), Protobuf);
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden), (first.StatusCode, second.StatusCode));
        Assert.Equal((Protobuf, Protobuf), (first.Content.Headers.ContentType?.MediaType, second.Content.Headers.ContentType?.MediaType));
        Assert.Empty(await StoredAsync(trace));
    }

    /// <summary>Random bytes, and requests of which random bytes are changed, cut or doubled: each is taken or refused, none breaks the server.</summary>
    [Fact]
    public async Task TenThousandRandomBodies_NeverBreakTheServer()
    {
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Chat);
        var trace = NewTrace();
        var (protobuf, json) = (Example(trace), Encoding.UTF8.GetBytes(ExampleJson(trace)));
        var log = OtlpBytes.LogRequest("judge", OtlpBytes.LogRecord(trace, "00000000000000a1", "gen_ai.evaluation.result", false, Start, ("gen_ai.evaluation.name", "fuzz"), ("gen_ai.evaluation.score.value", 0.5)));
        var logJson = Encoding.UTF8.GetBytes("""{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"5","traceId":"TRACE","eventName":"gen_ai.evaluation.result","attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"fuzz"}},{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":0.5}}]}]}]}]}""".Replace("TRACE", trace, StringComparison.Ordinal));
        var random = new Random(20261127);
        var counts = new Dictionary<int, int>();
        string[] paths = ["/v1/traces", "/v1/traces", "/v1/traces", "/v1/metrics", "/v1/logs"];
        for (var i = 0; i < 10_000; i++)
        {
            var isJson = random.Next(2) == 0;
            var path = paths[random.Next(paths.Length)];
            var body = Broken(path == "/v1/logs" ? isJson ? logJson : log : isJson ? json : protobuf, random);
            var packed = random.Next(8) == 0;
            if (packed)
                body = random.Next(2) == 0 ? Broken(Gzip(body), random) : Gzip(body);
            using var answer = await PostAsync(client, path, body, isJson ? JsonType : Protobuf, packed ? "gzip" : null);
            var status = (int)answer.StatusCode;
            counts[status] = counts.GetValueOrDefault(status) + 1;
            if (status >= 500)
                Assert.Fail($"Body {i} is answered with {status}: {await answer.Content.ReadAsStringAsync()}\n{Convert.ToHexString(body)}");
        }
        Assert.Equal([200, 400], counts.Keys.Order());
        // Both kinds are many, or the bodies would test only one side.
        Assert.All(counts.Values, n => Assert.True(n > 1000, JsonSerializer.Serialize(counts)));
    }

    private static byte[] Broken(byte[] good, Random random)
    {
        if (random.Next(10) == 0)
        {
            var noise = new byte[random.Next(200)];
            random.NextBytes(noise);
            return noise;
        }
        var body = good.ToList();
        for (var edits = random.Next(4); edits >= 0 && body.Count > 0; edits--)
        {
            var at = random.Next(body.Count);
            switch (random.Next(4))
            {
                case 0: body[at] = (byte)random.Next(256); break;
                case 1: body[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: body.RemoveRange(at, Math.Min(random.Next(1, 8), body.Count - at)); break;
                default: body.InsertRange(at, body.GetRange(at, Math.Min(random.Next(1, 40), body.Count - at))); break;
            }
        }
        return [.. body];
    }
}
