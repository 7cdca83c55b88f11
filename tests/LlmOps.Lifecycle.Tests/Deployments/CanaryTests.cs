using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Deployments;

/// <summary>How a revision behaves: shares of failed requests and good ratings, and the middle of its durations.</summary>
public sealed record Behaviour(double Failing, double MedianMs, double Good);

public abstract class CanaryTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static readonly Behaviour Usual = new(0.02, 400, 0.8);
    private static readonly CanaryPolicy Policy = new(Requests: 400, Looks: 8);

    private async Task<Canary> StartAsync(CanaryPolicy? policy = null)
    {
        var version = await Product.VersionAsync("tiny-lm", "int8");
        await Product.PromoteAsync(version, "int8");
        await Get<Deploy>().DeployAsync("chat", DeploymentKind.Chat, version.Key().ToString(), "int8", null, Product.Rosa);
        return await Get<StartCanary>().StartAsync("chat", version.Key().ToString(), "int8", null, 20, policy ?? Policy, Product.Rosa);
    }

    /// <summary>Answers so many requests of each revision, looking after every round as the clock does.</summary>
    private async Task AnswerAsync(Behaviour candidate, int requests, int seed, Func<Task>? each = null)
    {
        var random = new Random(seed);
        for (var done = 0; done < requests; done += 40)
        {
            await Product.WriteAsync(db =>
            {
                for (var i = 0; i < 40; i++)
                    foreach (var (revision, behaviour) in new[] { (1, Usual), (2, candidate) })
                        Add(db, random, revision, behaviour);
            });
            await (each?.Invoke() ?? Get<WatchCanaries>().WatchAsync());
        }
    }

    private void Add(LlmOpsDb db, Random random, int revision, Behaviour behaviour)
    {
        var failed = random.NextDouble() < behaviour.Failing;
        var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        var trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        db.Spans.Add(new Span
        {
            SpanId = trace[..16], TraceId = trace, Name = "chat", Kind = "chat", DeploymentName = "chat", RevisionName = $"chat#{revision}", StartedAt = Product.Clock.GetUtcNow(),
            DurationMs = behaviour.MedianMs * Math.Exp(0.4 * normal), Error = failed ? "Broken off before the first token." : null,
        });
        if (random.NextDouble() < 0.5)
            db.Feedback.Add(new Feedback { TraceId = trace, Score = random.NextDouble() < behaviour.Good ? 1 : -1, PersonId = Product.Alice.Id, PersonName = "alice", At = Product.Clock.GetUtcNow() });
    }

    private Task<Canary> ReadCanaryAsync() => ReadAsync(db => db.Canaries.AsNoTracking().SingleAsync());

    private async Task<string> SharesAsync() =>
        string.Join(" ", await ReadAsync(db => db.Revisions.OrderBy(r => r.Number).Select(r => r.Number + ":" + r.TrafficPercent).ToListAsync()));

    [Theory]
    [InlineData(0.12, 400, 0.8, "errors")]
    [InlineData(0.02, 700, 0.8, "latency")]
    [InlineData(0.02, 400, 0.5, "feedback")]
    public async Task AWorseRevision_RollsItselfBack_OnItsOwnEvidence(double failing, double medianMs, double good, string reason)
    {
        await Get<ManageWebhooks>().CreateAsync(new NewWebhook("ci", "https://ci.example.org/", ["deployment.changed"]), Product.Ada);
        await StartAsync();
        Assert.Equal("1:80 2:20", await SharesAsync());
        await AnswerAsync(new(failing, medianMs, good), 400, seed: 5);
        var canary = await ReadCanaryAsync();
        Assert.Equal(CanaryState.RolledBack, canary.State);
        Assert.Contains(reason, canary.Reason, StringComparison.Ordinal);
        Assert.Equal("1:100 2:0", await SharesAsync());
        Assert.Contains("roll-back-canary deployment", await Product.AuditAsync());
        var told = (await ReadAsync(db => db.WebhookDeliveries.AsNoTracking().OrderBy(d => d.Id).Select(d => d.DataJson).ToListAsync())).Select(d => System.Text.Json.Nodes.JsonNode.Parse(d)!)
            .Select(d => $"{d["change"]} {string.Join(" ", d["traffic"]!.AsArray().Select(t => $"{t!["revision"]}:{t["percent"]}"))}");
        Assert.Equal(["deploy 1:100", "start-canary 1:80 2:20", "roll-back-canary 1:100"], told);
        Assert.InRange(canary.Look, 1, 7); // before all planned requests were seen
    }

    [Fact]
    public async Task AnEqualRevision_StaysToTheEnd_AndTakesOverWhereItMay()
    {
        await StartAsync(Policy with { Promote = true, ErrorTolerance = 0.05, FeedbackTolerance = 0.15 });
        await AnswerAsync(Usual, 400, seed: 5);
        var canary = await ReadCanaryAsync();
        Assert.Equal((CanaryState.Passed, 8), (canary.State, canary.Look));
        Assert.Equal("1:0 2:100", await SharesAsync());
        var row = (await Get<ReadDeployments>().GetAsync("chat")).Canary!;
        Assert.Equal(["errors", "latency", "feedback"], row.Report!.Measures.Select(m => m.Name));
    }

    [Fact]
    public async Task TooLittleToTell_IsLeftToAPerson()
    {
        await StartAsync(Policy with { ErrorTolerance = 0.001 });
        await AnswerAsync(Usual, 400, seed: 5);
        Assert.Equal(CanaryState.Undecided, (await ReadCanaryAsync()).State);
        Assert.Equal("1:80 2:20", await SharesAsync());
    }

    [Fact]
    public async Task MovingTheTraffic_EndsTheCanary_AtOnce()
    {
        await StartAsync();
        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<StartCanary>().StartAsync("chat", "tiny-lm/1", "int8", null, 20, Policy, Product.Rosa));
        Assert.Equal(1, await Get<ShiftTraffic>().RollbackAsync("chat", Product.Rosa));
        Assert.Equal(CanaryState.Stopped, (await ReadCanaryAsync()).State);
        await AnswerAsync(new(0.5, 400, 0.8), 80, seed: 5);
        Assert.Equal((CanaryState.Stopped, 0), ((await ReadCanaryAsync()).State, (await ReadCanaryAsync()).Look));
        Assert.Equal("1:100 2:0", await SharesAsync());
    }

    [Fact]
    public async Task CallersWhoGaveUp_AndShadows_SayNothingAboutARevision()
    {
        await StartAsync();
        await Product.WriteAsync(db =>
        {
            for (var i = 0; i < 200; i++)
                foreach (var (kind, error) in new[] { ("chat", "Broken off after 3 tokens. The caller gave up."), ("shadow", "Broken off before the first token.") })
                {
                    var trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
                    db.Spans.Add(new Span { SpanId = trace[..16], TraceId = trace, Name = "chat", Kind = kind, DeploymentName = "chat", RevisionName = "chat#2", StartedAt = Product.Clock.GetUtcNow(), DurationMs = 10, Error = error });
                }
        });
        await Get<WatchCanaries>().WatchAsync();
        Assert.Equal((CanaryState.Running, 0), ((await ReadCanaryAsync()).State, (await ReadCanaryAsync()).Look));
    }
}

public sealed class CanaryOnSqlite() : CanaryTests(DatabaseProvider.Sqlite);

public sealed class CanaryOnPostgres() : CanaryTests(DatabaseProvider.Postgres);

public sealed class CanaryRuleTests
{
    private static CanarySample Draw(Random random, int n, double failing, double medianMs, double good)
    {
        var failures = Enumerable.Range(0, n).Count(_ => random.NextDouble() < failing);
        var durations = Enumerable.Range(0, n - failures).Select(_ => Math.Log(medianMs) + 0.5 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())).ToList();
        var rated = n / 2;
        return new(n, failures, durations, Enumerable.Range(0, rated).Count(_ => random.NextDouble() < good), rated);
    }

    private static CanarySample Join(CanarySample a, CanarySample b) => new(a.Requests + b.Requests, a.Failures + b.Failures, [.. a.LogDurations, .. b.LogDurations], a.Good + b.Good, a.Rated + b.Rated);

    private static bool RollsBack(CanaryPolicy policy, Random random, double failing, double medianMs, double good)
    {
        var (baseline, candidate) = (new CanarySample(0, 0, [], 0, 0), new CanarySample(0, 0, [], 0, 0));
        for (var look = 1; look <= policy.Looks; look++)
        {
            var step = policy.Requests / policy.Looks;
            (baseline, candidate) = (Join(baseline, Draw(random, 4 * step, 0.05, 400, 0.8)), Join(candidate, Draw(random, step, failing, medianMs, good)));
            if (CanaryRule.Judge(policy, baseline, candidate, look).Verdict == LlmOps.Lifecycle.Promotion.Verdict.Fail)
                return true;
        }
        return false;
    }

    /// <summary>Over all looks and measures an equal revision is rolled back at most as often as alpha says, even when nothing at all is tolerated.</summary>
    [Fact]
    public void AnEqualRevision_IsRolledBack_NoMoreOftenThanAlphaSays()
    {
        var random = new Random(11);
        var strict = new CanaryPolicy(Requests: 500, Looks: 10, Alpha: 0.05, ErrorTolerance: 0, LatencyTolerance: 0, FeedbackTolerance: 0);
        Assert.InRange(Enumerable.Range(0, 1000).Count(_ => RollsBack(strict, random, 0.05, 400, 0.8)), 10, 65); // 50 are expected at most; 65 is 2.2 standard deviations above
        Assert.InRange(Enumerable.Range(0, 300).Count(_ => RollsBack(new(), random, 0.05, 400, 0.8)), 0, 9);
        Assert.True(Enumerable.Range(0, 100).Count(_ => RollsBack(new(), random, 0.2, 400, 0.8)) >= 95, "Four times the failures are seen.");
        Assert.True(Enumerable.Range(0, 100).Count(_ => RollsBack(new(), random, 0.05, 700, 0.8)) >= 95, "Three quarters more time is seen.");
    }

    [Fact]
    public void Looks_AreDueEvenly()
    {
        var policy = new CanaryPolicy(Requests: 400, Looks: 8);
        Assert.Equal([0, 0, 1, 7, 8, 8], new[] { 0, 49, 50, 399, 400, 9000 }.Select(n => CanaryRule.LookAt(policy, n)));
    }
}
