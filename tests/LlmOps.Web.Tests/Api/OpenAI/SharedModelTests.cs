using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using LlmOps.Web.Serving;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;

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
        return (new(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Serving:Limits:RequestsPerMinute"] = $"{requests}", ["Serving:Limits:TokensPerMinute"] = $"{tokens}", ["Serving:Limits:Concurrent"] = $"{concurrent}",
        }).Build(), clock), clock);
    }

    [Fact]
    public void Requests_ComeBackEvenly_OverTheMinute()
    {
        var (limits, clock) = Limits(6, 0, 0);
        for (var i = 0; i < 6; i++)
            limits.Enter("a").End(1000);
        Assert.Equal(10, Assert.Throws<TooManyRequestsException>(() => limits.Enter("a")).RetryAfterSeconds);
        limits.Enter("b").End(0); // everybody has a bucket of their own
        clock.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(6, Assert.Throws<TooManyRequestsException>(() => limits.Enter("a")).RetryAfterSeconds);
        clock.Advance(TimeSpan.FromSeconds(6));
        limits.Enter("a").End(0);
        Assert.Throws<TooManyRequestsException>(() => limits.Enter("a"));
    }

    [Fact]
    public void Tokens_AreChargedWhenTheyAreKnown_AndADebtIsWaitedFor()
    {
        var (limits, clock) = Limits(0, 600, 0);
        limits.Enter("a").End(900);
        Assert.Equal(31, Assert.Throws<TooManyRequestsException>(() => limits.Enter("a")).RetryAfterSeconds); // 301 tokens at ten a second
        clock.Advance(TimeSpan.FromSeconds(31));
        limits.Enter("a").End(1);
    }

    [Fact]
    public void RequestsAtOnce_AreLimited_UntilOneEnds()
    {
        var (limits, _) = Limits(0, 0, 2);
        var first = limits.Enter("a");
        limits.Enter("a");
        Assert.Throws<TooManyRequestsException>(() => limits.Enter("a"));
        first.End(0);
        first.End(0);
        limits.Enter("a");
        Assert.Throws<TooManyRequestsException>(() => limits.Enter("a"));
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
}
