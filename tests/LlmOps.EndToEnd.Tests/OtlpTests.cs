using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.EndToEnd.Tests;

/// <summary>OpenTelemetry's SDK as published sends to the real program; and the program is killed while it is sent to.</summary>
public sealed class OtlpTests
{
    private static Dictionary<string, string> Settings(string data) => new() { ["Data__Folder"] = data, ["Worker__Embedded"] = "false", ["Logging__LogLevel__Default"] = "Warning" };

    private static async Task<string> TokenAsync(WebProcess web)
    {
        await web.SetUpAdministratorAsync();
        using var made = await web.Client.PostAsJsonAsync("/api/v1/tokens", new { name = "otel", scopes = new[] { "Chat" } });
        return (string)(await made.Content.ReadFromJsonAsync<JsonNode>())!["secret"]!;
    }

    private static LlmOpsDb Open(string folder)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, $"Data Source={Path.Combine(folder, "llmops.db")};Pooling=False");
        return new(options.Options);
    }

    [Theory]
    [InlineData("proto", "none")]
    [InlineData("proto", "gzip")]
    [InlineData("json", "none")]
    [InlineData("json", "gzip")]
    public async Task NpmSdk_SendsATrace_ThatIsOnThePage(string form, string compression)
    {
        using var data = new TemporaryFolder();
        await using var web = await WebProcess.StartAsync(Settings(data.Path));
        var trace = (await NpmClient.RunAsync("otel", "journey.mjs", web.Address.ToString().TrimEnd('/'), await TokenAsync(web), form, compression)).Trim();

        await using var db = Open(data.Path);
        var spans = await db.Spans.AsNoTracking().Where(s => s.TraceId == trace).ToDictionaryAsync(s => s.Kind);
        Assert.Equal(["chat", "execute_tool", "invoke_agent", "retrieval"], spans.Keys.Order());
        Assert.All(spans.Values, s => Assert.Equal($"journey-{form}", s.ServiceName));
        Assert.All(spans.Values.Where(s => s.Kind != "invoke_agent"), s => Assert.Equal(spans["invoke_agent"].SpanId, s.ParentSpanId));
        Assert.Equal((120, 30, 100, "openai", "gpt-x"), (spans["chat"].InputTokens, spans["chat"].OutputTokens, spans["chat"].CacheReadTokens, spans["chat"].Provider, spans["chat"].Model));
        Assert.InRange(spans["chat"].DurationMs, 19, 5000);
        Assert.Equal("""[{"role":"user","parts":[{"type":"text","content":"How many days? Write to [email hidden, 15 characters]"}]}]""", spans["chat"].Input);
        Assert.Equal(("holidays", """[{"id":"d1","score":0.75,"content":"Thirty days."}]"""), (spans["retrieval"].Input, spans["retrieval"].Output));
        Assert.Equal(("""{"year":2026}""", "calendar is closed"), (spans["execute_tool"].Input, spans["execute_tool"].Error));
        Assert.Equal("talk-7", spans["invoke_agent"].SessionId);

        Assert.Contains("invoke_agent helper", await web.Client.GetStringAsync($"/traces/{trace}"), StringComparison.Ordinal);
    }

    /// <summary>One server sends its own spans to another, by the standard variables.</summary>
    [Fact]
    public async Task OwnSpans_AreSent_WhereTheVariableSays()
    {
        using var data = new TemporaryFolder();
        using var other = new TemporaryFolder();
        await using var receiver = await WebProcess.StartAsync(Settings(data.Path));
        var settings = Settings(other.Path);
        (settings["OTEL_EXPORTER_OTLP_ENDPOINT"], settings["OTEL_EXPORTER_OTLP_PROTOCOL"]) = (receiver.Address.ToString(), "http/protobuf");
        (settings["OTEL_EXPORTER_OTLP_HEADERS"], settings["OTEL_BSP_SCHEDULE_DELAY"]) = ($"Authorization=Bearer {await TokenAsync(receiver)}", "200");
        await using var sender = await WebProcess.StartAsync(settings);
        await sender.Client.GetStringAsync("/account/sign-in");
        await receiver.Process.UntilAsync(async () =>
        {
            await using var db = Open(data.Path);
            return await db.Spans.AnyAsync(s => s.ServiceName == "llmops" && s.AttributesJson.Contains("/account/sign-in"));
        }, TimeSpan.FromSeconds(30));
        await using var stored = Open(data.Path);
        // neither probes nor the sending itself are worth a span
        Assert.False(await stored.Spans.AnyAsync(s => s.AttributesJson.Contains("\"/health/ready\"")));
    }

    /// <summary>Eight clients send 1,000 requests, each until it is acknowledged; the server is killed twice meanwhile. Then every span is there, once.</summary>
    [Fact]
    public async Task KilledServer_HasEveryAcknowledgedSpan_Once()
    {
        const int Requests = 1000, Clients = 8, Spans = 20;
        using var data = new TemporaryFolder();
        var web = await WebProcess.StartAsync(Settings(data.Path));
        try
        {
            var token = await TokenAsync(web);
            var (todo, acknowledged) = (new ConcurrentQueue<int>(Enumerable.Range(0, Requests)), new ConcurrentBag<int>());
            var (kills, repeated) = (0, 0);
            async Task SendAsync(Uri address)
            {
                using var client = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(30) };
                client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
                while (todo.TryDequeue(out var request))
                {
                    try
                    {
                        using var answer = await client.PostAsJsonAsync("/v1/traces", Request(request, Spans));
                        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                        acknowledged.Add(request);
                    }
                    catch (Exception e) when (e is HttpRequestException or IOException)
                    {
                        // Nobody knows whether it was written: an exporter sends it again.
                        Interlocked.Increment(ref repeated);
                        todo.Enqueue(request);
                        return;
                    }
                }
            }
            while (!todo.IsEmpty)
            {
                var senders = Enumerable.Range(0, Clients).Select(_ => SendAsync(web.Address)).ToList();
                if (kills < 2)
                {
                    var before = acknowledged.Count;
                    await web.Process.UntilAsync(() => Task.FromResult(acknowledged.Count >= before + 250), TimeSpan.FromMinutes(1));
                    await web.Process.KillAsync();
                    kills++;
                }
                await Task.WhenAll(senders);
                if (web.Process.HasExited)
                {
                    await AssertStoredAsync(data.Path, [.. acknowledged], Spans);
                    await web.DisposeAsync();
                    web = await WebProcess.StartAsync(Settings(data.Path));
                }
            }
            Assert.Equal(2, kills);
            Assert.True(repeated > 0, "No request was cut off: the test killed at the wrong moment.");
            Assert.Equal(Enumerable.Range(0, Requests), acknowledged.Distinct().Order());
            Assert.Equal(Requests, await AssertStoredAsync(data.Path, [.. acknowledged], Spans));
        }
        finally
        {
            await web.DisposeAsync();
        }
    }

    private static object Request(int request, int spans) => new
    {
        resourceSpans = new[] { new { scopeSpans = new[] { new { spans = Enumerable.Range(0, spans).Select(s => new
        {
            traceId = $"{request + 1:x32}", spanId = $"{s + 1:x16}", name = "step", startTimeUnixNano = "1700000000000000000", endTimeUnixNano = "1700000000001000000",
            attributes = new[] { new { key = "step", value = new { intValue = s } } },
        }) } } } },
    };

    /// <summary>A request is there with all of its spans, or not at all; an acknowledged one is there.</summary>
    private static async Task<int> AssertStoredAsync(string folder, int[] acknowledged, int spans)
    {
        await using var db = Open(folder);
        var stored = await db.Spans.AsNoTracking().GroupBy(s => s.TraceId).Select(g => new { g.Key, Count = g.Count() }).ToDictionaryAsync(g => Convert.ToInt32(g.Key, 16) - 1, g => g.Count);
        Assert.All(stored, s => Assert.Equal(spans, s.Value));
        Assert.Empty(acknowledged.Except(stored.Keys));
        return stored.Count;
    }
}
