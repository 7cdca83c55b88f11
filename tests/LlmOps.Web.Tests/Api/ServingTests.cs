using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Tests.Api;

public sealed class ServingTests(ServedDeployments served, WebProduct product) : IClassFixture<ServedDeployments>
{
    private static readonly Actor Chatter = Actor.WithRoles(Guid.CreateVersion7(), "chatter", [Roles.Engineer]);
    private static object Say(string text, bool stream = false, int tokens = 12) => new { messages = new[] { new { role = "user", content = text } }, max_new_tokens = tokens, stream };

    [Fact]
    public async Task Chat_Answers_AndStoresATraceWithWhatWasMeasured()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var answer = await engineer.PostAsJsonAsync($"/api/v1/deployments/{ServedDeployments.Chat}/chat", Say("define a word"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal($"{ServedDeployments.Chat}#1", body.GetProperty("revision").GetString());
        Assert.Equal($"{ServedDeployments.Model}/1", body.GetProperty("version").GetString());
        Assert.InRange(body.GetProperty("output_tokens").GetInt32(), 1, 12);
        Assert.InRange(body.GetProperty("first_token_ms").GetDouble(), 0.001, body.GetProperty("duration_ms").GetDouble());

        var trace = await engineer.GetFromJsonAsync<JsonElement>($"/api/v1/traces/{body.GetProperty("trace_id").GetString()}");
        var spans = trace.GetProperty("spans").EnumerateArray().ToDictionary(s => s.GetProperty("kind").GetString()!);
        Assert.Equal(["chat", "generation"], spans.Keys.Order());
        Assert.Equal("define a word", spans["chat"].GetProperty("input").GetString());
        Assert.Equal(body.GetProperty("answer").GetString(), spans["chat"].GetProperty("output").GetString());
        Assert.Equal(body.GetProperty("output_tokens").GetInt32(), spans["generation"].GetProperty("output_tokens").GetInt32());
        Assert.Equal(spans["chat"].GetProperty("span_id").GetString(), spans["generation"].GetProperty("parent_span_id").GetString());

        using var feedback = await engineer.PostAsJsonAsync($"/api/v1/traces/{body.GetProperty("trace_id").GetString()}/feedback", new { score = -1, comment = "nonsense" });
        Assert.Equal(HttpStatusCode.NoContent, feedback.StatusCode);
    }

    [Fact]
    public async Task Chat_StreamsTheSameAnswer_InPieces()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        var whole = (await (await engineer.PostAsJsonAsync($"/api/v1/deployments/{ServedDeployments.Chat}/chat", Say("a small dog"))).Content.ReadFromJsonAsync<JsonElement>()).GetProperty("answer").GetString();
        using var answer = await engineer.PostAsJsonAsync($"/api/v1/deployments/{ServedDeployments.Chat}/chat", Say("a small dog", stream: true));
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        var events = (await answer.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(e => e.Split('\n')).Select(e => (Name: e[0]["event: ".Length..], Data: JsonDocument.Parse(e[1]["data: ".Length..]).RootElement)).ToList();
        Assert.Equal("done", events[^1].Name);
        Assert.All(events[..^1], e => Assert.Equal("token", e.Name));
        Assert.Equal(whole, string.Concat(events[..^1].Select(e => e.Data.GetProperty("text").GetString())));
        Assert.Equal(whole, events[^1].Data.GetProperty("answer").GetString());
    }

    [Fact]
    public async Task Chat_ThatIsGivenUp_StopsTheModelAndLeavesATraceThatSaysSo()
    {
        using var stop = new CancellationTokenSource();
        var pieces = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var piece in product.Get<ChatWithDeployment>().ChatAsync(ServedDeployments.Chat, [new ChatTurn("user", "the people of the language")], new SamplingOptions(MaxNewTokens: 64, MinNewTokens: 64), Chatter, ct: stop.Token))
                if (++pieces == 2)
                    await stop.CancelAsync();
        });
        var traces = await product.Get<ReadTraces>().ListAsync(new(Search: "the people of the language", Outcome: "failed"), 0, 10);
        Assert.StartsWith("Broken off", Assert.Single(traces.Rows).Error, StringComparison.Ordinal);
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        Assert.Equal(HttpStatusCode.OK, (await engineer.PostAsJsonAsync($"/api/v1/deployments/{ServedDeployments.Chat}/chat", Say("again"))).StatusCode);
    }

    [Theory]
    [InlineData("""{"messages":[]}""", "'messages' ends with what the user says: a turn with the role 'user' and some text.")]
    [InlineData("""{"messages":[{"role":"system","content":"x"},{"role":"user","content":"x"}]}""", "A message's role is 'user' or 'assistant', not 'system'.")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"max_new_tokens":0}""", "'max_new_tokens' is between 1 and 1024.")]
    public async Task Chat_RefusesWhatNoModelCanAnswer(string body, string message)
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var answer = await engineer.PostAsync(new Uri($"/api/v1/deployments/{ServedDeployments.Chat}/chat", UriKind.Relative), new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        await answer.EnsureErrorAsync(HttpStatusCode.BadRequest, $$"""{"error_code":"INVALID_PARAMETER_VALUE","message":"{{message}}","request_id":"ID"}""");
    }

    [Fact]
    public async Task Chat_LeavesOldTurnsOut_WhenTheContextIsShort_AndRefusesAMessageThatNeverFits()
    {
        var chat = product.Get<ChatWithDeployment>();
        ChatTurn[] turns = [.. Enumerable.Range(0, 10).SelectMany(i => new ChatTurn[] { new("user", $"what is word {i}"), new("assistant", "a unit of language") }), new("user", "and the last")];
        ChatAnswer? answer = null;
        await foreach (var piece in chat.ChatAsync(ServedDeployments.Chat, turns, new(MaxNewTokens: 4), Chatter))
            answer = piece.Answer;
        Assert.True(answer!.DroppedTurns > 0);
        var refused = await Assert.ThrowsAsync<LlmOpsException>(async () =>
        {
            await foreach (var _ in chat.ChatAsync(ServedDeployments.Chat, [new("user", string.Join(' ', Enumerable.Repeat("zebra", 200)))], new(MaxNewTokens: 4), Chatter)) { }
        });
        Assert.Contains("the model's context holds 96", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ask_AnswersWithQuotedSentences_AndShowsWhatItFound()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var asked = await engineer.PostAsJsonAsync($"/api/v1/deployments/{ServedDeployments.Docs}/ask", new { question = "Who has to approve before an alias moves?", k = 2 });
        var body = await asked.Content.ReadFromJsonAsync<JsonElement>();
        var citation = Assert.Single(body.GetProperty("citations").EnumerateArray());
        Assert.Equal("aliases.md", citation.GetProperty("document").GetString());
        Assert.Equal($"An alias moves only when a second person approves it. [{citation.GetProperty("number").GetInt32()}]", body.GetProperty("answer").GetString());
        Assert.Equal(2, body.GetProperty("chunks").GetArrayLength());
        Assert.Equal("aliases.md", body.GetProperty("chunks")[citation.GetProperty("number").GetInt32() - 1].GetProperty("document").GetString());
        Assert.Contains("quoted from the documents", body.GetProperty("method").GetString(), StringComparison.Ordinal);
        var trace = await engineer.GetFromJsonAsync<JsonElement>($"/api/v1/traces/{body.GetProperty("trace_id").GetString()}");
        Assert.Equal(["answer", "ask", "retrieval"], trace.GetProperty("spans").EnumerateArray().Select(s => s.GetProperty("kind").GetString()!).Order());
    }

    [Fact]
    public async Task ADeployment_IsUsedAsWhatItIs()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var wrong = await engineer.PostAsJsonAsync($"/api/v1/deployments/{ServedDeployments.Docs}/chat", Say("hello"));
        await wrong.EnsureErrorAsync(HttpStatusCode.Conflict,
            """{"error_code":"RESOURCE_CONFLICT","message":"served-docs answers questions over documents. Ask it instead of chatting.","request_id":"ID"}""");
    }

    [Fact]
    public async Task AFile_IsDownloadedWithItsDigestAsETag()
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        var path = $"/api/v1/models/{ServedDeployments.Model}/versions/1/files/fp32/config.json";
        using var file = await viewer.GetAsync(new Uri(path, UriKind.Relative));
        var digest = Convert.ToHexStringLower(SHA256.HashData(await file.Content.ReadAsByteArrayAsync()));
        Assert.Equal($"\"{digest}\"", file.Headers.ETag?.Tag);
        using var again = new HttpRequestMessage(HttpMethod.Get, path);
        again.Headers.IfNoneMatch.Add(file.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await viewer.SendAsync(again)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await viewer.GetAsync(new Uri($"/api/v1/models/{ServedDeployments.Model}/versions/1/files/fp32/..%2F..%2Fllmops.db", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public void Traffic_IsSharedAsTheRevisionsSay()
    {
        ServingRevision Revision(int number, int percent) => new("d", DeploymentKind.Chat, false, number, percent, "m", 1, "fp32", "", null, null);
        var random = new Random(7);
        var counts = Enumerable.Range(0, 10_000).Select(_ => new[] { Revision(1, 90), Revision(2, 10) }.ByTraffic(random).Number).CountBy(n => n).ToDictionary();
        Assert.InRange(counts[2], 900, 1100);
        Assert.Equal(10_000, counts[1] + counts[2]);
    }

    [Fact]
    public void TheFixture_IsTheSharedProduct() => Assert.Same(product, served.Product);
}
