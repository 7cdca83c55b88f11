using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using LlmOps.Web.Serving;
using Microsoft.AspNetCore.Hosting;

namespace LlmOps.Web.Tests.Api.OpenAI;

[Collection(OpenAICollection.Name)]
public sealed class SharedModelTests(OpenAIDeployments models)
{
    private static object Say(string text, int tokens = 24) => new { model = OpenAIDeployments.Chat, messages = new[] { new { role = "user", content = text } }, temperature = 0, max_tokens = tokens };

    [Fact]
    public async Task RequestsAtOnce_ShareTheModelsSteps_AndGetTheAnswersThatEachGetsAlone()
    {
        string[] questions = ["define a word", "a small dog", "the language of the people", "what the word means", "the quick brown fox", "a unit"];
        async Task<string?> AskAsync(string question) => (await models.AnswerAsync("/v1/chat/completions", Say(question))).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
        var alone = new List<string?>();
        foreach (var question in questions)
            alone.Add(await AskAsync(question));
        Assert.Equal(alone, await Task.WhenAll(questions.Select(AskAsync)));
        var batch = JsonDocument.Parse(await models.Client.GetStringAsync(new Uri($"/api/v1/deployments/{OpenAIDeployments.Chat}/batch", UriKind.Relative))).RootElement[0];
        Assert.Equal($"{OpenAIDeployments.Chat}#1", batch.GetProperty("revision").GetString());
        Assert.True(batch.GetProperty("together").GetBoolean());
        Assert.True(batch.GetProperty("steps").EnumerateArray().Max(s => s.GetProperty("rows").GetInt32()) > 1, "No step had more than one row.");
    }

    [Fact]
    public async Task MovingTraffic_FailsNobody_WhoIsBeingAnswered()
    {
        await models.Product.Get<Deploy>().DeployAsync("oai-moving", DeploymentKind.Chat, $"{OpenAIDeployments.Model}/1", "fp32", null, OpenAIDeployments.Release);
        object body = new { model = "oai-moving", messages = new[] { new { role = "user", content = "define a word" } }, max_tokens = 200, min_tokens = 200, stream = true };
        var streams = Enumerable.Range(0, 4).Select(_ => models.StreamAsync("/v1/chat/completions", body)).ToList();
        await models.Product.Get<Deploy>().DeployAsync("oai-moving", DeploymentKind.Chat, $"{OpenAIDeployments.Tools}/1", "fp32", null, OpenAIDeployments.Release);
        foreach (var chunks in await Task.WhenAll(streams))
            Assert.Equal("length", chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        using var after = await models.PostAsync("/v1/chat/completions", new { model = "oai-moving", messages = new[] { new { role = "user", content = "x" } }, max_tokens = 1 });
        Assert.Equal("oai-moving#2", Assert.Single(after.Headers.GetValues("x-llmops-revision")));
    }

    private static (ServingLimits Limits, TestClock Clock) Limits(int requests, int tokens, int concurrent)
    {
        var clock = new TestClock();
        return (new(new(requests, tokens, concurrent), clock), clock);
    }

    private static ServingClient Client(string name, TokenLimits? limits = null) => new(name, limits ?? TokenLimits.None);

    private static void Spend(ServingLimits limits, string client, int tokens, TokenLimits? own = null)
    {
        using var admitted = limits.Enter(Client(client, own));
        admitted.Charge(tokens);
    }

    [Fact]
    public void ATokensOwnLimits_ReplaceTheServers_EachByItself()
    {
        var (limits, clock) = Limits(2, 600, 0);
        var own = new TokenLimits(RequestsPerMinute: 0, Concurrent: 1);
        for (var i = 0; i < 5; i++)
            Spend(limits, "free", 100, own);
        Spend(limits, "free", 500, own); // its requests are not limited, its tokens as the server says
        Assert.Equal(41, Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("free", own))).RetryAfterSeconds);
        clock.Advance(TimeSpan.FromMinutes(2));
        using (limits.Enter(Client("free", own)))
            Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("free", own)));
        // One that becomes limited has a minute's worth; raising a limit forgives nothing.
        for (var i = 0; i < 3; i++)
            Spend(limits, "free", 0, own with { RequestsPerMinute = 3 });
        Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("free", own with { RequestsPerMinute = 6 })));
        clock.Advance(TimeSpan.FromSeconds(10));
        Spend(limits, "free", 0, own with { RequestsPerMinute = 6 });
    }

    [Fact]
    public void Requests_ComeBackEvenly_OverTheMinute()
    {
        var (limits, clock) = Limits(6, 0, 0);
        for (var i = 0; i < 6; i++)
            Spend(limits, "a", 1000);
        Assert.Equal(10, Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("a"))).RetryAfterSeconds);
        Spend(limits, "b", 0); // everybody has a bucket of their own
        clock.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(6, Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("a"))).RetryAfterSeconds);
        clock.Advance(TimeSpan.FromSeconds(6));
        Spend(limits, "a", 0);
        Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("a")));
    }

    [Fact]
    public void Tokens_AreChargedWhenTheyAreKnown_AndADebtIsWaitedFor()
    {
        var (limits, clock) = Limits(0, 600, 0);
        Spend(limits, "a", 900);
        Assert.Equal(31, Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("a"))).RetryAfterSeconds); // 301 tokens at ten a second
        clock.Advance(TimeSpan.FromSeconds(31));
        Spend(limits, "a", 1);
    }

    [Fact]
    public void RequestsAtOnce_AreLimited_UntilOneEnds()
    {
        var (limits, _) = Limits(0, 0, 2);
        var first = limits.Enter(Client("a"));
        limits.Enter(Client("a"));
        Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("a")));
        first.Dispose();
        first.Dispose();
        limits.Enter(Client("a"));
        Assert.Throws<TooManyRequestsException>(() => limits.Enter(Client("a")));
    }

    [Fact]
    public async Task ALimitedToken_IsToldWhenToComeBack_InEachApisOwnShape()
    {
        await using var product = models.Product.WithWebHostBuilder(b => b.UseSetting("Serving:Limits:RequestsPerMinute", "1"));
        using var client = product.CreateClient();
        client.DefaultRequestHeaders.Authorization = models.Client.DefaultRequestHeaders.Authorization;
        using var first = await client.PostAsJsonAsync("/v1/chat/completions", Say("x", 1));
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        using var second = await client.PostAsJsonAsync("/v1/chat/completions", Say("x", 1));
        Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
        Assert.InRange(second.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        var error = JsonDocument.Parse(await second.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
        Assert.Equal(("rate_limit_error", "rate_limit_exceeded"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
    }

    /// <summary>Every address that asks a model for something counts, and says the same when it is too much.</summary>
    [Theory]
    [InlineData("/v1/completions", """{"model":"oai-chat","prompt":"x","max_tokens":1}""")]
    [InlineData("/v1/embeddings", """{"model":"rag:oai-docs","input":"x"}""")]
    [InlineData("/v1/score", """{"model":"rag:oai-docs","text_1":"x","text_2":"y"}""")]
    [InlineData("/rerank", """{"model":"rag:oai-docs","query":"x","documents":["y"]}""")]
    [InlineData("/tokenize", """{"model":"oai-chat","prompt":"x"}""")]
    [InlineData("/detokenize", """{"model":"oai-chat","tokens":[5]}""")]
    [InlineData("/v1/chat/completions", """{"model":"rag:oai-docs","messages":[{"role":"user","content":"Who approves?"}]}""")]
    public async Task ATokensOwnLimit_HoldsEverywhere(string path, string body)
    {
        using var owner = await models.Product.ProgramAsync(Roles.Engineer);
        using var made = await owner.PostAsJsonAsync("/api/v1/tokens", new { name = "limited", scopes = new[] { "Chat" }, limits = new { requests_per_minute = 2 } });
        var token = JsonDocument.Parse(await made.Content.ReadAsStringAsync()).RootElement;
        using var limited = models.Product.With(new("Bearer", token.GetProperty("secret").GetString()));
        async Task<HttpResponseMessage> PostAsync() => await limited.PostAsync(new Uri(path, UriKind.Relative), new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        for (var i = 0; i < 2; i++)
            Assert.Equal(HttpStatusCode.OK, (await PostAsync()).StatusCode);
        using var third = await PostAsync();
        Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
        Assert.InRange(third.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 30);
        var error = JsonDocument.Parse(await third.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
        Assert.Equal(("rate_limit_error", "rate_limit_exceeded"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));

        using var lifted = await owner.PutAsJsonAsync($"/api/v1/tokens/{token.GetProperty("id").GetString()}/limits", new { requests_per_minute = 0 });
        Assert.Equal(HttpStatusCode.NoContent, lifted.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync()).StatusCode);
        var row = JsonDocument.Parse(await owner.GetStringAsync(new Uri("/api/v1/tokens", UriKind.Relative))).RootElement.EnumerateArray().Single(t => t.GetProperty("id").GetString() == token.GetProperty("id").GetString());
        Assert.Equal(0, row.GetProperty("limits").GetProperty("requests_per_minute").GetInt32());
    }
}
