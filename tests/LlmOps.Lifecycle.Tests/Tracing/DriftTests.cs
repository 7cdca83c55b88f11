using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracing.Drift;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracing;

public abstract class DriftTests(DatabaseProvider provider) : ProductTests(provider)
{
    private async Task DeployAsync()
    {
        var version = await Product.VersionAsync("tiny-lm", "int8");
        await Product.PromoteAsync(version, "int8");
        await Get<Deploy>().DeployAsync("chat", DeploymentKind.Chat, version.Key().ToString(), "int8", null, Product.Rosa);
    }

    /// <summary>Answered requests that began within the hour before a time; lengths go round through 20 values from the first on.</summary>
    private Task AskAsync(int count, TimeSpan ago, int first, string answer = "Certainly.", string kind = "chat") => Product.WriteAsync(db =>
    {
        for (var i = 0; i < count; i++)
        {
            var trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
            db.Spans.Add(new Span
            {
                TraceId = trace, SpanId = trace[..16], Name = "chat", Kind = kind, DeploymentName = "chat", RevisionName = "chat#1", StartedAt = Product.Clock.GetUtcNow() - ago - TimeSpan.FromSeconds(i + 1),
                DurationMs = 100 + first + i % 20, InputTokens = first + i % 20, OutputTokens = first + i % 20, Input = $"question {i % 20}", Output = answer,
            });
        }
    });

    [Fact]
    public async Task ADrift_OpensOneIncident_TellsOnce_AndClosesWhenItIsOver()
    {
        await DeployAsync();
        await Get<ManageWebhooks>().CreateAsync(new NewWebhook("ci", "https://ci.example.org/", ["deployment.drifted"]), Product.Ada);
        await Get<SetDriftWatch>().SetAsync("chat", new DriftPolicy(RefusalThreshold: 0.1, EveryHours: 6), true, Product.Rosa);
        await AskAsync(400, TimeSpan.FromDays(3), 10);
        await AskAsync(400, TimeSpan.FromHours(1), 60, "I'm sorry, but I can't help with that.");
        await AskAsync(400, TimeSpan.FromHours(2), 10, kind: WatchCanaries.ShadowKind);
        Assert.Equal(1, await Get<WatchDrift>().WatchAsync());
        Assert.Equal(0, await Get<WatchDrift>().WatchAsync());
        var state = await Get<ReadDrift>().GetAsync("chat");
        var report = Assert.Single(state.Checks).Report;
        Assert.Equal((Verdict.Fail, 400, 400), (report.Verdict, report.BaselineTraces, report.WindowTraces));
        // 10…29 against 60…79: nothing in common, and everything is refused
        Assert.All(report.Measures.Where(m => m.Method == "ks"), m => Assert.Equal(1, m.Value, 12));
        Assert.Equal(1, report.Measures.Single(m => m.Name == "refusals").Value, 12);
        var incident = await ReadAsync(db => db.Incidents.AsNoTracking().SingleAsync());
        Assert.Equal(("chat drifted", incident.Id), (incident.Title, state.Incident));
        Assert.Contains("prompt length", Assert.Single(await ReadAsync(db => db.Notifications.AsNoTracking().ToListAsync())).Text, StringComparison.Ordinal);
        Assert.Equal("chat", (await ReadAsync(db => db.WebhookDeliveries.AsNoTracking().SingleAsync(d => d.Type == "deployment.drifted"))).Subject);

        Product.Clock.Advance(TimeSpan.FromHours(6));
        Assert.Equal(1, await Get<WatchDrift>().WatchAsync());
        Assert.Equal(1, await ReadAsync(db => db.Notifications.CountAsync()));
        Assert.Equal(2, (await Get<ReadIncidents>().GetAsync(incident.Id)).Detail.Firings.Count);

        // a month later the window and its baseline are alike again
        Product.Clock.Advance(TimeSpan.FromDays(30));
        await AskAsync(1000, TimeSpan.FromDays(3), 60);
        await AskAsync(1000, TimeSpan.FromHours(1), 60);
        await Get<WatchDrift>().WatchAsync();
        Assert.Equal(Verdict.Pass, (await Get<ReadDrift>().GetAsync("chat")).Checks[0].Verdict);
        Assert.NotNull((await Get<ReadIncidents>().GetAsync(incident.Id)).ResolvedAt);
    }

    [Fact]
    public async Task OneThatCannotBeLookedAt_KeepsNoOtherFromIt()
    {
        await DeployAsync();
        await Get<Deploy>().DeployAsync("before", DeploymentKind.Chat, "tiny-lm/1", "int8", null, Product.Rosa);
        await Get<SetDriftWatch>().SetAsync("before", new(), true, Product.Rosa);
        await Get<SetDriftWatch>().SetAsync("chat", new(), true, Product.Rosa);
        foreach (var ago in new[] { TimeSpan.FromDays(3), TimeSpan.FromHours(1) })
            await AskAsync(100, ago, 10);
        await Product.ReadAsync(db => db.Spans.ExecuteUpdateAsync(s => s.SetProperty(x => x.DeploymentName, "before")));
        foreach (var ago in new[] { TimeSpan.FromDays(3), TimeSpan.FromHours(1) })
            await AskAsync(100, ago, 10);
        EmbedAsked embed = (name, _, _) => name == "before" ? throw new FileNotFoundException("weights") : Task.FromResult<EmbeddedTexts?>(null);
        var watch = new WatchDrift(Product.Dbs, new MeasureDrift(Product.Dbs, embed, Product.Clock), new LlmOps.Lifecycle.Messaging.Hints(), Product.Clock);
        Assert.Contains("before could not be looked at: weights", (await Assert.ThrowsAsync<AggregateException>(() => watch.WatchAsync())).Message, StringComparison.Ordinal);
        Assert.Single((await Get<ReadDrift>().GetAsync("chat")).Checks);
        Assert.Empty((await Get<ReadDrift>().GetAsync("before")).Checks);
    }

    [Fact]
    public async Task Refusals_AreCountedBySignal_ByThePhrasesOfThePolicy_AndByEnglishOnes()
    {
        await DeployAsync();
        await AskAsync(98, TimeSpan.FromDays(3), 10);
        await AskAsync(2, TimeSpan.FromDays(3), 10, "I'm sorry, but I can't help with that.");
        await AskAsync(85, TimeSpan.FromHours(1), 10);
        await AskAsync(7, TimeSpan.FromHours(1), 10, "Dazu darf ich nichts sagen.");
        await AskAsync(5, TimeSpan.FromHours(1), 10, "I'm sorry, but I can't help with that.");
        await AskAsync(3, TimeSpan.FromHours(1), 10, "");
        // A guard before the deployment sends its step into the trace, by OpenTelemetry: what it withheld has no text.
        var withheld = await ReadAsync(db => db.Spans.AsNoTracking().Where(s => s.Output == "").ToListAsync());
        await Get<ReceiveSpans>().ReceiveAsync([.. withheld.Select((s, i) => CanonicalSpanTests.Sent(("gen_ai.operation.name", "chat"), ("gen_ai.response.finish_reasons", new List<object?> { "content_filter" }))
            with { TraceId = s.TraceId, SpanId = $"{i + 1:x16}", ParentSpanId = s.SpanId })]);
        // Of the same three traces an embedding that only mentions the word.
        await Get<ReceiveSpans>().ReceiveAsync([.. withheld.Select((s, i) => CanonicalSpanTests.Sent(("policy", "no content_filter here")) with { TraceId = s.TraceId, SpanId = $"{i + 101:x16}", ParentSpanId = s.SpanId })]);

        var report = await Get<MeasureDrift>().MeasureAsync("chat", new DriftPolicy(RefusalPhrases: ["dazu darf ich nichts"]));
        var refusals = report.Measures.Single(m => m.Name == "refusals");
        Assert.Equal((0.02, 0.15, 100, 100, 0.13), (refusals.Baseline, refusals.Window, refusals.BaselineCount, refusals.WindowCount, Math.Round(refusals.Value, 12)));
        Assert.Equal([new("signal", 0, 3), new("phrase", 0, 7), new("english", 2, 5)], report.Refusals);
        // Without phrases the German ones are answers; the bare text says that nothing was withheld.
        var plain = await Get<MeasureDrift>().MeasureAsync("chat", new DriftPolicy());
        Assert.Equal([new("signal", 0, 3), new("english", 2, 5)], plain.Refusals);
        Assert.Equal(0.08, plain.Measures.Single(m => m.Name == "refusals").Window);
    }

    [Fact]
    public async Task WhatDrifted_IsShownInTracesOfTheWindow()
    {
        await DeployAsync();
        await AskAsync(400, TimeSpan.FromDays(3), 10);
        await AskAsync(400, TimeSpan.FromHours(1), 60, "I'm sorry, but I can't help with that.");
        var report = await Get<MeasureDrift>().MeasureAsync("chat", new DriftPolicy());
        Assert.Equal(["prompt-tokens", "completion-tokens", "latency-ms", "refusals"], report.Examples.Select(e => e.Name));
        // 10…29 in ten bins of two: the last begins above 27, and everything is there now.
        Assert.Equal("The part that grew most, more than 27 tokens: 100 % of the window, 10 % before.", report.Examples[0].Why);
        Assert.All(report.Examples, e => Assert.Equal(ShowDriftMost, e.Traces.Count));
        Assert.All(report.Examples[0].Traces, t => Assert.InRange(t.Value!.Value, 60, 79));
        var newest = (await ReadAsync(db => db.Spans.AsNoTracking().Where(s => s.StartedAt >= report.WindowFrom).Select(s => s.TraceId).ToListAsync())).ToHashSet();
        Assert.All(report.Examples.SelectMany(e => e.Traces), t => Assert.Contains(t.TraceId, newest));
    }

    private const int ShowDriftMost = 5;

    [Fact]
    public async Task TheSameTraces_GiveTheSameNumbers_AndAnotherSeedAnotherSample()
    {
        await DeployAsync();
        await AskAsync(300, TimeSpan.FromDays(3), 10);
        await AskAsync(300, TimeSpan.FromHours(1), 15);
        var policy = new DriftPolicy(MostTraces: 100);
        var (first, second, other) = (await Get<MeasureDrift>().MeasureAsync("chat", policy), await Get<MeasureDrift>().MeasureAsync("chat", policy), await Get<MeasureDrift>().MeasureAsync("chat", policy with { Seed = 2 }));
        Assert.Equal(first.Measures.Select(m => (m.Name, m.Method, m.Value, m.Low, m.High)), second.Measures.Select(m => (m.Name, m.Method, m.Value, m.Low, m.High)));
        Assert.NotEqual(first.Measures.Select(m => m.Value), other.Measures.Select(m => m.Value));
        Assert.All(first.Measures, m => Assert.Equal((100, 100), (m.BaselineCount, m.WindowCount)));
        Assert.Equal((300, 300), (first.BaselineTraces, first.WindowTraces));
    }

    [Fact]
    public async Task WithFewTraces_NothingIsSaid_AndWithoutADeployment_NothingIsThere()
    {
        await DeployAsync();
        await AskAsync(10, TimeSpan.FromHours(1), 10);
        var report = await Get<WatchDrift>().LookAsync("chat", Product.Rosa);
        Assert.Equal((Verdict.CannotTell, 0, 10), (report.Verdict, report.BaselineTraces, report.WindowTraces));
        Assert.Empty(await ReadAsync(db => db.Incidents.ToListAsync()));
        await Assert.ThrowsAsync<LlmOpsException>(() => Get<WatchDrift>().LookAsync("none", Product.Rosa));
        await Assert.ThrowsAsync<LlmOpsException>(() => Get<SetDriftWatch>().SetAsync("chat", new DriftPolicy(LeastTraces: 5), true, Product.Rosa));
    }
}

public sealed class SqliteDriftTests() : DriftTests(DatabaseProvider.Sqlite);

public sealed class PostgresDriftTests() : DriftTests(DatabaseProvider.Postgres);
