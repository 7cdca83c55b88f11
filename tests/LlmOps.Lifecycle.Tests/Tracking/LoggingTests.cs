using System.Globalization;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracking;

/// <summary>What clients log: in groups, once, and within limits.</summary>
public abstract class LoggingTests(DatabaseProvider provider) : ProductTests(provider)
{
    private async Task<Guid> RunAsync()
    {
        var experiment = await Get<CreateExperiment>().CreateAsync($"e{Guid.NewGuid():N}", null, [], Product.Alice);
        return (await Get<StartRun>().StartAsync(new(experiment, null, "alice", null, []))).Id;
    }

    private Task LogAsync(Guid run, IReadOnlyList<LoggedMetric>? metrics = null, IReadOnlyList<KeyValue>? parameters = null, IReadOnlyList<KeyValue>? tags = null) =>
        Get<WriteGroups>().WriteAsync(LogBatch.Checked(run, metrics, parameters, tags));

    private static LoggedMetric Point(string key, double value, long at, long step = 0) => new(key, value, DateTimeOffset.FromUnixTimeMilliseconds(at), step);

    /// <summary>The farthest steps that a client can log: their distance is no number of 64 bits, and one such run must not take the lists and charts of the others with it.</summary>
    [Fact]
    public async Task RunWithTheFarthestSteps_IsListedAndDrawn_AsTheOthersAre()
    {
        var run = await RunAsync();
        await LogAsync(run, [Point("loss", 1, 1, long.MinValue), Point("loss", 2, 2, 0), Point("loss", 3, 3, 10), Point("loss", 4, 4, long.MaxValue)]);
        var experiment = (await Get<ReadLoggedRuns>().GetAsync(run)).ExperimentId;
        var row = Assert.Single((await Get<ReadRuns>().ListAsync(experiment, new())).Rows);
        Assert.Equal([1, 2, 3, 4], row.Loss);
        Assert.Equal([0, 10], (await Get<ReadCurves>().ReadAsync([new(run, "loss")])).Steps);
        for (var part = 0; part < 3; part++)
            await LogAsync(run, [.. Enumerable.Range(1000 * part, 1000).Select(i => Point("loss", i, 5, 20 + i))]);
        Assert.InRange(Assert.Single((await Get<ReadRuns>().ListAsync(experiment, new())).Rows).Loss.Count, 30, 41);
        var curve = await Get<ReadCurves>().ReadAsync([new(run, "loss")]);
        Assert.InRange(curve.Steps.Count, 1000, ReadCurves.MostPoints + 1);
        Assert.Equal((0, 3019), (curve.Steps[0], curve.Steps[^1]));
    }

    /// <summary>Folders whose names differ in a capital, or in a character that a pattern would take for any other, are two.</summary>
    [Fact]
    public async Task FolderThatIsDeletedOrRegistered_TakesNoOtherWithIt()
    {
        var files = Get<LlmOps.Lifecycle.Artifacts.LoggedFiles>();
        static LlmOps.Lifecycle.Artifacts.ArtifactPath At(string path) => LlmOps.Lifecycle.Artifacts.ArtifactPath.Parse("e/r/artifacts/" + path);
        foreach (var path in new[] { "my_model/a", "My_model/a", "my-model/a", "my_model2/a" })
            await files.PutAsync(At(path), new MemoryStream([1, 2, 3]));
        Assert.Single((await files.FreezeAsync(At("my_model")))!.Manifest.Files);
        await files.DeleteAsync(At("my_model"));
        Assert.Equal(["My_model", "my-model", "my_model2"], (await files.ListAsync(LlmOps.Lifecycle.Artifacts.ArtifactPath.Parse("e/r/artifacts"))).Select(f => f.Path));
        // the top of everything is no folder to delete
        await files.PutAsync(LlmOps.Lifecycle.Artifacts.ArtifactPath.Parse("loose.txt"), new MemoryStream([1]));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => files.DeleteAsync(LlmOps.Lifecycle.Artifacts.ArtifactPath.Parse("")));
    }

    /// <summary>A client that leaves the step out logs everything at step 0.</summary>
    [Fact]
    public async Task RunWithoutSteps_IsListed_WithAsManyPointsAsTheOthers()
    {
        var run = await RunAsync();
        await LogAsync(run, [Point("loss", 3, 1), Point("loss", 2, 2), Point("loss", 1, 3)]);
        var experiment = (await Get<ReadLoggedRuns>().GetAsync(run)).ExperimentId;
        Assert.Equal([3, 2, 1], Assert.Single((await Get<ReadRuns>().ListAsync(experiment, new())).Rows).Loss);
        await LogAsync(run, [.. Enumerable.Range(0, 1000).Select(i => Point("loss", i, 10 + i))]);
        Assert.InRange(Assert.Single((await Get<ReadRuns>().ListAsync(experiment, new())).Rows).Loss.Count, 30, 41);
    }

    [Fact]
    public async Task ManyWritersAtOnce_LoseNothing_AndDoubleNothing_WhenTheyRepeat()
    {
        var runs = new[] { await RunAsync(), await RunAsync(), await RunAsync() };
        await AtOnceAsync(60, async i =>
        {
            LoggedMetric[] points = [.. Enumerable.Range(0, 20).Select(p => Point($"m{p % 4}", i * 100 + p, 1000 + i, i))];
            await LogAsync(runs[i % 3], points, [new($"p{i}", "1")], [new("last", $"{i}")]);
            await LogAsync(runs[i % 3], points, [new($"p{i}", "1")]);
            return true;
        });
        Assert.Equal(60 * 20, await CountAsync(db => db.Metrics));
        Assert.Equal(60, await CountAsync(db => db.Params));
        var newest = (await Get<ReadLoggedRuns>().GetAsync(runs[0])).Metrics;
        Assert.Equal(12, await CountAsync(db => db.LatestMetrics));
        // of the writers of this run the one with the newest time is number 57; of its five points under one key the largest counts
        Assert.Equal(["m0=5716", "m1=5717", "m2=5718", "m3=5719"], newest.Select(m => FormattableString.Invariant($"{m.Key}={m.Value}")));
    }

    [Fact]
    public async Task OneRefusedBatch_DoesNotTakeTheOthersOfItsGroup()
    {
        var run = await RunAsync();
        await LogAsync(run, parameters: [new("lr", "0.1")]);
        var outcomes = await AtOnceAsync(40, async i =>
        {
            try
            {
                await LogAsync(i % 4 == 1 ? Guid.NewGuid() : run, [Point("loss", i, i, i)], [new("lr", i % 4 == 0 ? "0.2" : "0.1")]);
                return "";
            }
            catch (LlmOpsException e)
            {
                return e.Code.WireName();
            }
        });
        Assert.Equal(10, outcomes.Count(o => o == "INVALID_PARAMETER_VALUE"));
        Assert.Equal(10, outcomes.Count(o => o == "RESOURCE_DOES_NOT_EXIST"));
        Assert.Equal(20, await CountAsync(db => db.Metrics));
        Assert.Equal("0.1", await ReadAsync(db => db.Params.Select(p => p.Value).SingleAsync()));
    }

    /// <summary>(key, value, at, step) in the order in which they come; what is the newest afterwards.</summary>
    public static TheoryData<string, string> Newest => new()
    {
        { "1@10/0 2@20/0", "2" },
        { "2@20/0 1@10/0", "2" },
        { "5@10/0 7@10/0 6@10/0", "7" },
        { "9@10/1 3@10/2", "3" },
        { "NaN@20/0 1@10/0", "NaN" },
        { "Infinity@20/0 1@10/0", "Infinity" },
        { "-Infinity@10/0 NaN@5/0", "-Infinity" },
    };

    [Theory]
    [MemberData(nameof(Newest))]
    public async Task NewestPoint_IsByTime_ThenStep_ThenValue(string points, string newest)
    {
        var run = await RunAsync();
        var parsed = points.Split(' ').Select(p => p.Split('@', '/')).Select(p => Point("m", double.Parse(p[0], CultureInfo.InvariantCulture), long.Parse(p[1], CultureInfo.InvariantCulture), long.Parse(p[2], CultureInfo.InvariantCulture))).ToList();
        await LogAsync(run, [parsed[0]]);
        await LogAsync(run, [.. parsed.Skip(1)]);
        Assert.Equal(newest, (await Get<ReadLoggedRuns>().GetAsync(run)).Metrics.Single().Number.ToString(CultureInfo.InvariantCulture));
        var history = await Get<ReadMetricHistory>().PageAsync(run, "m", null, null);
        Assert.Equal(parsed.Select(p => p.Value).Order(), history.Items.Select(p => p.Value).Order());
    }

    [Fact]
    public async Task History_ComesInPages_ThatMissNothing()
    {
        var run = await RunAsync();
        // several values at one step and time, and steps that no int holds
        await LogAsync(run, [.. Enumerable.Range(0, 250).Select(i => Point("m", i % 5 == 4 ? double.NaN : i % 3, 1000 + i / 10, 4_000_000_000L + i / 7))]);
        var whole = (await Get<ReadMetricHistory>().PageAsync(run, "m", null, null)).Items;
        Assert.Equal(await CountAsync(db => db.Metrics), whole.Count);
        Assert.Equal(whole.Select(p => (p.Step, p.At)).Order(), whole.Select(p => (p.Step, p.At)));
        var paged = new List<HistoryPoint>();
        string? token = null;
        do
        {
            var page = await Get<ReadMetricHistory>().PageAsync(run, "m", 17, token);
            paged.AddRange(page.Items);
            token = page.NextPageToken;
        }
        while (token is not null);
        Assert.Equal(whole, paged);
    }

    [Fact]
    public async Task Sample_IsEven_AndHasBothEnds()
    {
        var (one, other) = (await RunAsync(), await RunAsync());
        await LogAsync(one, [.. Enumerable.Range(0, 1000).Select(i => Point("m", i, i, i))]);
        await LogAsync(other, [.. Enumerable.Range(0, 5).Select(i => Point("m", i, i, i))]);
        var points = await Get<ReadMetricHistory>().SampleAsync([one, other], "m", null, null, 10);
        Assert.Equal([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999], points.Where(p => p.RunId == one).Select(p => (int)p.Step));
        Assert.Equal([0, 1, 2, 3, 4], points.Where(p => p.RunId == other).Select(p => (int)p.Step));
        Assert.Equal([10, 12, 14, 16, 18, 20], (await Get<ReadMetricHistory>().SampleAsync([one], "m", 10, 20, 6)).Select(p => (int)p.Step));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ReadMetricHistory>().SampleAsync([one], "m", 10, null, 6));
    }

    /// <summary>The program ends even while values wait that it can no longer write.</summary>
    [Fact]
    public async Task Writer_EndsAtOnce_WithValuesThatWait()
    {
        var other = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        var experiment = await other.Get<CreateExperiment>().CreateAsync("ends", null, [], other.Alice);
        var run = await other.Get<StartRun>().StartAsync(new(experiment, null, "alice", null, []));
        await other.Get<WriteGroups>().WriteAsync(LogBatch.Checked(run.Id, [Point("m", 1, 1)]));
        await other.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task NewestValues_AreInTheDatabase_SoonAfterTheLastBatch()
    {
        var run = await RunAsync();
        await LogAsync(run, [Point("m", 1, 10, 1)]);
        for (var clock = System.Diagnostics.Stopwatch.StartNew(); await CountAsync(db => db.LatestMetrics) == 0; await Task.Delay(20))
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), "The newest value was never written.");
    }

    [Fact]
    public async Task DeletedExperiment_TakesItsRunsWithIt_AndBringsThemBack()
    {
        var run = await RunAsync();
        var experiment = (await Get<ReadLoggedRuns>().GetAsync(run)).ExperimentId;
        var gone = (await Get<StartRun>().StartAsync(new(experiment, null, "alice", null, []))).Id;
        await Get<ChangeRun>().DeleteAsync(gone, Product.Alice);
        Product.Clock.Advance(TimeSpan.FromSeconds(1));
        await Get<ChangeExperiment>().DeleteAsync(experiment, Product.Alice);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => LogAsync(run, [Point("m", 1, 1)]));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<StartRun>().StartAsync(new(experiment, null, "alice", null, [])));
        await Get<ChangeExperiment>().RestoreAsync(experiment, Product.Alice);
        await LogAsync(run, [Point("m", 1, 1)]);
        Assert.True((await Get<ReadLoggedRuns>().GetAsync(gone)).IsDeleted);
    }

    [Fact]
    public async Task LatestValue_OfATraining_IsFoundLikeThatOfAClient()
    {
        await Product.QueueAsync();
        var job = await Product.ClaimAsync();
        var context = Product.Context(job);
        Run run = null!;
        await context.SaveAsync(async db => run = await db.EnsureRunAsync("trained", "pretrain", job.Id, "alice", new Dictionary<string, string> { ["layers"] = "2" }, Product.Clock.GetUtcNow(), default), default);
        await context.SaveAsync(db => db.AddMetricsAsync(run.Id, [new("loss", 1, 3.0), new("loss", 2, 2.0)], Product.Clock.GetUtcNow(), default), default);
        Product.Clock.Advance(TimeSpan.FromSeconds(5));
        await context.SaveAsync(db => db.AddMetricsAsync(run.Id, [new("loss", 3, 1.5)], Product.Clock.GetUtcNow(), default), default);
        Assert.Equal((1.5, 3L), await ReadAsync(async db => (await db.LatestMetrics.SingleAsync()) is var m ? (m.Value, m.Step) : default));
        var found = await Get<LlmOps.Lifecycle.Tracking.Search.SearchRuns>().SearchAsync(new([run.ExperimentId], "metrics.loss < 2 AND params.layers = '2'"));
        Assert.Equal(run.Id, Assert.Single(found.Items).Id);
    }
}

public sealed class LoggingOnSqlite() : LoggingTests(DatabaseProvider.Sqlite);

public sealed class LoggingOnPostgres() : LoggingTests(DatabaseProvider.Postgres);

public sealed class LogBatchTests
{
    private static LoggedMetric Metric(string key) => new(key, 1, DateTimeOffset.UnixEpoch, 0);

    private static string Text(int length) => new('x', length);

    public static TheoryData<string, LoggedMetric[], KeyValue[], KeyValue[], bool> Batches => new()
    {
        { "1000 metrics", [.. Enumerable.Range(0, 1000).Select(i => Metric($"m{i}"))], [], [], true },
        { "1001 metrics", [.. Enumerable.Range(0, 1001).Select(i => Metric($"m{i}"))], [], [], false },
        { "100 params", [], [.. Enumerable.Range(0, 100).Select(i => new KeyValue($"p{i}", ""))], [], true },
        { "101 params", [], [.. Enumerable.Range(0, 101).Select(i => new KeyValue($"p{i}", ""))], [], false },
        { "100 tags", [], [], [.. Enumerable.Range(0, 100).Select(i => new KeyValue($"t{i}", ""))], true },
        { "101 tags", [], [], [.. Enumerable.Range(0, 101).Select(i => new KeyValue($"t{i}", ""))], false },
        { "1001 of all", [.. Enumerable.Range(0, 901).Select(i => Metric($"m{i}"))], [.. Enumerable.Range(0, 50).Select(i => new KeyValue($"p{i}", ""))], [.. Enumerable.Range(0, 50).Select(i => new KeyValue($"t{i}", ""))], false },
        { "key of 250", [Metric(Text(250))], [], [], true },
        { "key of 251", [Metric(Text(251))], [], [], false },
        { "param value of 6000", [], [new("p", Text(6000))], [], true },
        { "param value of 6001", [], [new("p", Text(6001))], [], false },
        { "tag value of 8000", [], [], [new("t", Text(8000))], true },
        { "tag value of 8001", [], [], [new("t", Text(8001))], false },
        { "param twice", [], [new("p", "1"), new("p", "1")], [], false },
        { "tag twice", [], [], [new("t", "1"), new("t", "2")], true },
        { "value with code 0", [], [], [new("t", "a\0b")], false },
        { "half a character", [], [new("p", "\ud800")], [], false },
    };

    [Theory]
    [MemberData(nameof(Batches))]
    public void Limits_HoldExactly(string what, LoggedMetric[] metrics, KeyValue[] parameters, KeyValue[] tags, bool fits)
    {
        var refusal = Record.Exception(() => LogBatch.Checked(Guid.NewGuid(), metrics, parameters, tags));
        Assert.True(fits == refusal is null, $"{what}: {refusal?.Message ?? "was taken"}");
        if (!fits)
            Assert.Equal(ErrorCode.InvalidParameterValue, Assert.IsType<LlmOpsException>(refusal).Code);
    }

    [Theory]
    [InlineData("loss", true)]
    [InlineData("val/loss", true)]
    [InlineData("a b.c-d_e", true)]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData("..", false)]
    [InlineData("a/../b", false)]
    [InlineData("/abs", false)]
    [InlineData("a//b", false)]
    [InlineData("a/", false)]
    [InlineData("a\\b", false)]
    [InlineData("a;b", false)]
    [InlineData("a\n", false)]
    [InlineData("größe", true)]
    public void Keys_AreNamesAndNoOtherPaths(string key, bool fits) =>
        Assert.Equal(fits, Record.Exception(() => LogBatch.Checked(Guid.NewGuid(), metrics: [Metric(key)])) is null);
}
