using System.Text;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Worker.Judging;
using Microsoft.AspNetCore.Http;

namespace LlmOps.Web.Tests.Suites;

/// <summary>What endpoints do that are none of the usual failures.</summary>
public sealed class EndpointJudgeTests
{
    private const string Key = "sk-very-secret";

    private static EndpointJudge Judge(JudgeEndpoint endpoint, string more = "") =>
        new("critic/1", JudgeDocument.Parse($"name: critic\nkind: openai\nendpoint: {endpoint.Address}\nmodel: any\nmode: score\ncriteria: short\napi_key: CRITIC\n{more}"), Key, TimeSpan.FromMilliseconds(1));

    private static string Completion(string content) => $$$"""{"choices":[{"message":{"content":"{{{content}}}"}}],"usage":{"prompt_tokens":100,"completion_tokens":10}}""";

    [Fact]
    public async Task AReplyThatRepeatsTheKey_IsStoredWithoutIt()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(call => $$"""You sent {{call.Authorization}}. {"score": 3}""");
        using var judge = Judge(endpoint);
        var trace = await new AskJudge(judge).OneAsync("q", "a", null, 1, TestContext.Current.CancellationToken);
        Assert.Equal(3, trace.MeanScore);
        Assert.Equal("You sent Bearer (key). {\"score\": 3}", trace.Asked[0].Reply);
    }

    [Fact]
    public async Task AnUnknownCharacterSet_IsReadAsUtf8()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(async (_, context) =>
        {
            context.Response.Headers.ContentType = "application/json; charset=no-such-set";
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(Completion("größer: {\\\"score\\\": 2}")));
        });
        using var judge = Judge(endpoint);
        Assert.StartsWith("größer", (await judge.AskAsync("q", 1, TestContext.Current.CancellationToken)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARedirect_IsNotFollowed_BecauseTheKeyIsForOneAddress()
    {
        await using var other = await JudgeEndpoint.StartAsync(_ => """{"score": 3}""");
        await using var endpoint = await JudgeEndpoint.StartAsync((_, context) =>
        {
            context.Response.Redirect($"{other.Address}/chat/completions", permanent: false, preserveMethod: true);
            return Task.CompletedTask;
        });
        using var judge = Judge(endpoint);
        var failed = await Assert.ThrowsAsync<JudgeFailedException>(() => judge.AskAsync("q", 1, TestContext.Current.CancellationToken));
        Assert.Contains("answered 307", failed.Message, StringComparison.Ordinal);
        Assert.Empty(other.Calls);
    }

    [Fact]
    public async Task AReplyThatIsNoVerdict_IsPaidForToo()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(call => call.Number < 3 ? "hm" : """{"score": 3}""");
        using var judge = Judge(endpoint);
        var asked = Assert.Single((await new AskJudge(judge).OneAsync("q", "a", null, 1, TestContext.Current.CancellationToken)).Asked);
        Assert.Equal((300, 30, 3), (asked.PromptTokens, asked.AnswerTokens, endpoint.Calls.Count));
    }
}
