using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracking;

/// <summary>Curves, rows and spans: what is written in groups while things run.</summary>
public abstract class TrackingTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static MetricPoint[] Points(int from, int to) => [.. Enumerable.Range(from, to - from).SelectMany(s => new MetricPoint[] { new("loss", s, 1.0 / s), new("learning_rate", s, 0.1) })];

    /// <summary>What a training does in one attempt: its run, then points.</summary>
    private async Task<Guid> TrainAsync(Job job, params MetricPoint[][] groups)
    {
        var context = Product.Context(job);
        Run run = null!;
        await context.SaveAsync(async db => run = await db.EnsureRunAsync("tiny-lm", "pretrain", job.Id, "alice", new Dictionary<string, string> { ["layers"] = "2", ["seed"] = "42" }, Product.Clock.GetUtcNow(), default), default);
        foreach (var group in groups)
            await context.SaveAsync(db => db.AddMetricsAsync(run.Id, group, Product.Clock.GetUtcNow(), default), default);
        return run.Id;
    }

    [Fact]
    public async Task RepeatedJob_FindsItsRun_AndDoublesNoPoint()
    {
        await Product.QueueAsync();
        var first = await TrainAsync(await Product.ClaimAsync(), Points(1, 6), Points(6, 11));
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        await Get<JobTransitions>().SweepStaleLeasesAsync();
        // The second attempt resumes at step 8, where its checkpoint was.
        var second = await TrainAsync(await Product.ClaimAsync(), Points(8, 14), Points(14, 16));
        Assert.Equal(first, second);
        Assert.Equal((1, 1, 2), (await CountAsync(db => db.Runs), await CountAsync(db => db.Experiments), await CountAsync(db => db.Params)));
        Assert.Equal(Enumerable.Range(1, 15), await ReadAsync(db => db.Metrics.Where(m => m.Key == "loss").Select(m => (int)m.Step).OrderBy(s => s).ToListAsync()));
        Assert.Equal(30, await CountAsync(db => db.Metrics));
    }

    [Fact]
    public async Task Points_ThatComeTwiceInOneGroup_AreStoredOnce()
    {
        await Product.QueueAsync();
        await TrainAsync(await Product.ClaimAsync(), [.. Points(1, 4), .. Points(2, 5)]);
        Assert.Equal(8, await CountAsync(db => db.Metrics));
    }

    [Fact]
    public async Task LostWorker_AddsNoPoint()
    {
        await Product.QueueAsync();
        var slow = await Product.ClaimAsync("slow");
        var run = await TrainAsync(slow, Points(1, 3));
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        await Get<JobTransitions>().SweepStaleLeasesAsync();
        await Product.ClaimAsync("quick");
        await Assert.ThrowsAsync<LeaseLostException>(() => Product.Context(slow).SaveAsync(db => db.AddMetricsAsync(run, Points(3, 9), Product.Clock.GetUtcNow(), default), default));
        Assert.Equal(4, await CountAsync(db => db.Metrics));
    }

    [Fact]
    public async Task Compare_PairsTheRowsThatBothRunsHave()
    {
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        var a = await Product.EvaluationAsync(version.Id, "fp32", new Dictionary<string, double[]> { ["preference"] = [0, 0, 1, 1, 1], ["latency"] = [10, 10, 10] });
        var b = await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [1, 1, 1, 0], ["latency"] = [8, 9, 7] });
        var comparison = await Get<CompareRuns>().CompareAsync(a.Id, b.Id, resamples: 300);
        var preference = comparison.Differences.Single(d => d.Name == "preference.accuracy");
        Assert.Equal((4, 0.25), (preference.N, preference.Value));
        Assert.Equal((2, 1), comparison.Flips["preference"]);
        Assert.Equal(-2, comparison.Differences.Single(d => d.Name == "latency.ms").Value);
        Assert.Equal(["0000", "0001"], (await Get<CompareRuns>().RowsAsync(a.Id, b.Id, "preference", "improved", 0, 10)).Select(p => p.RowKey));
        Assert.Equal(["0003"], (await Get<CompareRuns>().RowsAsync(a.Id, b.Id, "preference", "regressed", 0, 10)).Select(p => p.RowKey));
    }

    [Fact]
    public async Task Compare_FindsNothing_WhenNoRowIsShared()
    {
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        var a = await Product.EvaluationAsync(version.Id, "fp32", new Dictionary<string, double[]> { ["preference"] = [0, 0, 1] }, keyPrefix: "a");
        var b = await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [1, 1, 1] }, keyPrefix: "b");
        Assert.Empty((await Get<CompareRuns>().CompareAsync(a.Id, b.Id, resamples: 300)).Differences);
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<CompareRuns>().CompareAsync(a.Id, Guid.NewGuid()));
    }

    [Fact]
    public async Task Spans_SentTwice_AreStoredOnce_AlsoAtTheSameTime()
    {
        Span[] batch = [.. Enumerable.Range(0, 5).Select(i => new Span { SpanId = $"{i:x16}", TraceId = new string('a', 32), Name = "chat", Kind = "chat", StartedAt = Product.Clock.GetUtcNow() })];
        var added = await AtOnceAsync(4, _ => Get<IngestSpans>().IngestAsync(batch));
        Assert.Equal((5, 5), (added.Sum(), await CountAsync(db => db.Spans)));
        Assert.Equal(0, await Get<IngestSpans>().IngestAsync(batch));
    }

    [Fact]
    public async Task Feedback_IsOnePerPerson_AndCanBeChanged()
    {
        await Get<IngestSpans>().IngestAsync([new Span { SpanId = "1", TraceId = "t", Name = "chat", Kind = "chat", StartedAt = Product.Clock.GetUtcNow() }]);
        await Get<GiveFeedback>().GiveAsync("t", 1, null, Product.Alice);
        await Get<GiveFeedback>().GiveAsync("t", -1, "Wrong.", Product.Alice);
        await Get<GiveFeedback>().GiveAsync("t", 1, null, Product.Rosa);
        Assert.Equal([-1, 1], await ReadAsync(db => db.Feedback.Select(f => f.Score).OrderBy(s => s).ToListAsync()));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<GiveFeedback>().GiveAsync("t", 5, null, Product.Alice));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<GiveFeedback>().GiveAsync("ghost", 1, null, Product.Alice));
    }
}

public sealed class TrackingOnSqlite() : TrackingTests(DatabaseProvider.Sqlite);

public sealed class TrackingOnPostgres() : TrackingTests(DatabaseProvider.Postgres);
