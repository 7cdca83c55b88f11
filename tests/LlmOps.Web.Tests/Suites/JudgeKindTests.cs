using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Suites;

/// <summary>A real, tiny model writes answers, and judges over real HTTP look at them: fair ones, biased ones and broken ones.</summary>
public sealed class JudgeKindTests : IAsyncLifetime
{
    private const int Rows = 40;
    private SuiteBench bench = null!;

    public async ValueTask InitializeAsync() => bench = await SuiteBench.CreateAsync(DatabaseProvider.Sqlite, context: 256);

    public ValueTask DisposeAsync() => bench.DisposeAsync();

    private async Task<string> JudgeAsync(string address, string mode = "pairwise", string more = "") =>
        (await bench.Product.Get<SaveJudge>().SaveAsync($"name: critic\nkind: openai\nendpoint: {address}\nmodel: any\nmode: {mode}\ncriteria: usefulness\nprice_in: 1\nprice_out: 10\n{more}", bench.Product.Alice)).Key;

    /// <summary>Baselines of 1 to 40 words: some are longer than what the model writes, some shorter.</summary>
    private static string Suite(string judge, string kind = "judge-pairwise", string metrics = "[win_rate, order_consistent]", int rows = Rows) => $"""
        name: judged
        tasks:
          - name: help
            kind: {kind}
            judge: {judge}
            prompt: "a word is {"{{ n }}"}"
            {(kind == "judge-pairwise" ? "baseline: \"{{ other }}\"" : "target: \"right\"")}
            chat: false
            max_tokens: 12
            metrics: {metrics}
            rows:
        {string.Join("\n", Enumerable.Range(0, rows).Select(i => $"      - {{ n: {i}, other: \"{string.Join(' ', Enumerable.Repeat("dog", i + 1))}\" }}"))}
        """;

    private async Task<(EvaluationRun Run, JudgeConduct Conduct)> RunAsync(string yaml, params (string, string)[] settings)
    {
        var run = Assert.Single(await bench.RunAsync(yaml, settings: settings));
        return (run, JudgedTasks.Parse(run.DetailJson).GetValueOrDefault("help")!);
    }

    [Fact]
    public async Task AFairJudge_IsAskedInBothOrders_AndItsVerdictsCount()
    {
        // Whichever answer has no dog in it.
        await using var endpoint = await JudgeEndpoint.StartAsync(call => $$"""I thought about it. {"reason": "it is useful", "verdict": "{{(call.Part("Answer A").StartsWith("dog", StringComparison.Ordinal) ? "B" : "A")}}"}""");
        var (run, conduct) = await RunAsync(Suite(await JudgeAsync(endpoint.Address)));
        Assert.Equal(1, run.Metrics.Single(m => m.Name == "help.win_rate").Value);
        Assert.Equal(1, run.Metrics.Single(m => m.Name == "help.order_consistent").Value);
        Assert.Equal((Rows, Rows * 2, 1.0, 0.5), (conduct.Rows, conduct.Questions, conduct.OrderConsistency!.Value, conduct.FirstWins!.Value));
        Assert.False(conduct.IsPlaceBiased);
        Assert.Equal(Rows * 2 * (100 * 1 + 10 * 10) / 1e6, conduct.CostUsd, 12);
        Assert.Equal(conduct.CostUsd, SuiteBench.Detail(run.DetailJson).GetProperty("cost_usd").GetDouble(), 12);
        var trace = Json.Read<JudgeTrace>((await bench.RowsAsync(run.Id, "help.win_rate"))[0].DetailJson!);
        Assert.Equal(("critic/1", 2), (trace.Judge, trace.Asked.Count));
        Assert.Equal([false, true], trace.Asked.Select(q => q.Swapped));
        Assert.Contains("it is useful", trace.Asked[1].Reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AJudgeThatLooksAtThePlace_IsFound_AndDecidesNothing()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(_ => """{"verdict": "A"}""");
        var (run, conduct) = await RunAsync(Suite(await JudgeAsync(endpoint.Address)));
        Assert.Equal(0.5, run.Metrics.Single(m => m.Name == "help.win_rate").Value);
        Assert.Equal(0, run.Metrics.Single(m => m.Name == "help.order_consistent").Value);
        Assert.True(conduct.IsPlaceBiased);
        Assert.Equal(1, conduct.FirstWins!.Value);
    }

    [Fact]
    public async Task AJudgeThatLooksAtTheLength_IsFound()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(call => $$"""{"verdict": "{{(call.Part("Answer A").Length >= call.Part("Answer B").Length ? "A" : "B")}}"}""");
        var (_, conduct) = await RunAsync(Suite(await JudgeAsync(endpoint.Address)));
        Assert.True(conduct.IsLengthBiased);
        Assert.False(conduct.IsPlaceBiased);
    }

    [Fact]
    public async Task AFailingJudge_LeavesTheOtherRows_AndOnlyItsRowsAreAskedAgain()
    {
        var broken = true;
        await using var endpoint = await JudgeEndpoint.StartAsync(async (call, context) =>
        {
            var row = int.Parse(call.Part("Request")["a word is ".Length..], System.Globalization.CultureInfo.InvariantCulture);
            if (broken && row % 4 == 1)
            {
                // Tells the caller what it sent, as some proxies do.
                context.Response.StatusCode = 500;
                await context.Response.WriteAsync($"overloaded; your headers: {context.Request.Headers.Authorization}");
            }
            else if (broken && row % 4 == 2)
                await context.Response.WriteAsJsonAsync(new { choices = new[] { new { message = new { content = "I would rather not say." } } } });
            else if (broken && row % 4 == 3)
            {
                context.Response.StatusCode = 400;
                await context.Response.WriteAsync("the prompt is too long");
            }
            else
                await context.Response.WriteAsJsonAsync(new { choices = new[] { new { message = new { content = """{"score": 4}""" } } } });
        });
        var judge = await JudgeAsync(endpoint.Address, "score", "api_key: CRITIC\nretries: 0\n");
        (string, string)[] settings = [("Judges:Keys:CRITIC", "sk-very-secret")];
        var yaml = Suite(judge, "judge-score", "[score, { metric: acceptable, at_least: 4 }]", 20);
        var (run, conduct) = await RunAsync(yaml, settings);
        var rows = await bench.RowsAsync(run.Id, "help.score");
        Assert.Equal((5, 15), (rows.Count(r => r.State == RowState.Scored), rows.Count(r => r.State == RowState.Missing)));
        Assert.Equal((4, 5), (run.Metrics.Single(m => m.Name == "help.score").Value, run.Metrics.Single(m => m.Name == "help.score").N));
        Assert.Equal(5, rows.Count(r => r.Error?.Contains("answered 500: overloaded", StringComparison.Ordinal) == true));
        Assert.Equal(5, rows.Count(r => r.Error?.Contains("gave no score", StringComparison.Ordinal) == true));
        Assert.Equal(5, rows.Count(r => r.Error?.Contains("the prompt is too long", StringComparison.Ordinal) == true));
        Assert.All(endpoint.Calls, c => Assert.Equal("Bearer sk-very-secret", c.Authorization));
        Assert.DoesNotContain("sk-very-secret", string.Join('\n', await bench.Product.ReadAsync(db => db.RowScores.Select(r => r.Error + r.Answer + r.DetailJson).Concat(db.JobLog.Select(l => l.Text)).ToListAsync())), StringComparison.Ordinal);
        Assert.False(conduct.TokensKnown);

        broken = false;
        var before = rows.Where(r => r.State == RowState.Scored).Select(r => r.Id).ToList();
        var asked = endpoint.Calls.Count;
        await bench.Product.Get<StartSuiteRun>().RetryMissingAsync(run.Id, bench.Product.Alice);
        var again = Assert.Single(await bench.GoOnAsync(run.JobId, settings));
        Assert.Equal(15, endpoint.Calls.Count - asked);
        var whole = await bench.RowsAsync(again.Id, "help.score");
        Assert.Equal(20, whole.Count(r => r.State == RowState.Scored));
        Assert.Subset(whole.Select(r => r.Id).ToHashSet(), before.ToHashSet());
    }

    [Fact]
    public async Task APassingFailure_IsTriedAgain_AndTheEndpointSaysWhen()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(async (call, context) =>
        {
            if (call.Number == 1)
            {
                context.Response.StatusCode = 429;
                context.Response.Headers.RetryAfter = "0";
            }
            else if (call.Number == 2)
                await context.Response.WriteAsync("<html>a proxy's page</html>");
            else
                await context.Response.WriteAsJsonAsync(new { choices = new[] { new { message = new { content = call.Number == 3 ? "hm" : """{"score": 2}""" } } } });
        });
        var (run, _) = await RunAsync(Suite(await JudgeAsync(endpoint.Address, "score", "retries: 3\n"), "judge-score", "[score]", 1));
        Assert.Equal(2, run.Metrics.Single().Value);
        Assert.Equal(4, endpoint.Calls.Count);
        Assert.NotEqual(endpoint.Calls.ElementAt(2).Seed, endpoint.Calls.ElementAt(3).Seed);
    }

    [Fact]
    public async Task ASlowJudge_IsGivenUp_AndSaysAfterHowLong()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync((_, context) => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default));
        var (run, _) = await RunAsync(Suite(await JudgeAsync(endpoint.Address, "score", "timeout_seconds: 0.2\nretries: 0\n"), "judge-score", "[score]", 1));
        Assert.Contains("did not answer within 0.2 s", Assert.Single(await bench.RowsAsync(run.Id, "help.score")).Error, StringComparison.Ordinal);
        Assert.Empty(run.Metrics);
    }

    [Fact]
    public async Task Samples_ShowHowFarTheJudgeAgreesWithItself()
    {
        await using var endpoint = await JudgeEndpoint.StartAsync(call => $$"""{"score": {{(call.Number % 4 == 0 ? 1 : 5)}}}""");
        var judge = await JudgeAsync(endpoint.Address, "score", "samples: 4\ntemperature: 0.7\nconcurrency: 1\n");
        var (run, conduct) = await RunAsync(Suite(judge, "judge-score", "[score]", 3));
        Assert.Equal(0.75, conduct.SelfConsistency);
        Assert.Equal(4, run.Metrics.Single().Value);
        Assert.All(endpoint.Calls, c => Assert.Equal(0.7, c.Temperature));
        Assert.Equal(12, endpoint.Calls.Select(c => c.Seed).Distinct().Count());
    }

    [Fact]
    public async Task AVersionOfTheRegistry_Judges_WithNothingButVerdicts()
    {
        var judge = (await bench.Product.Get<SaveJudge>().SaveAsync("name: own\nkind: local\nversion: tiny-lm/1\nvariant: copy\nmode: score\nscale: 3\ncriteria: short words\nprompt: \"grade {{ answer }}\"\n", bench.Product.Alice)).Key;
        var (run, conduct) = await RunAsync(Suite(judge, "judge-score", "[score]", 5));
        Assert.Equal(5, run.Metrics.Single().N);
        Assert.InRange(run.Metrics.Single().Value, 1, 3);
        Assert.Equal((5, true, 0.0), (conduct.Rows, conduct.TokensKnown, conduct.CostUsd));
    }

    [Fact]
    public async Task AMissingKey_IsSaidBeforeTheFirstRow_AndAWrongModeWhenTheSuiteIsSaved()
    {
        var judge = await JudgeAsync("http://127.0.0.1:9/v1", "score", "api_key: NOBODY\n");
        var refused = await Assert.ThrowsAsync<LlmOpsException>(() => bench.RunAsync(Suite(judge, "judge-score", "[score]", 2)));
        Assert.Contains("Judges__Keys__NOBODY", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, await bench.Product.ReadAsync(db => db.RowScores.CountAsync()));
        var wrong = await Assert.ThrowsAsync<LlmOpsException>(() => bench.Product.Get<SaveSuite>().SaveAsync(Suite(judge), bench.Product.Alice));
        Assert.Contains("made for 'score'", wrong.Message, StringComparison.Ordinal);
    }
}
