using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Evaluation;

public abstract class ComparisonTests(DatabaseProvider provider) : ProductTests(provider)
{
    /// <summary>A run whose rows are given one by one; null is a missing row.</summary>
    private async Task<EvaluationRun> RunAsync(string variant, IEnumerable<(string Key, double? Value, string? Slice, string? Cluster)> rows)
    {
        var version = await Product.VersionAsync("tiny-lm", variant);
        var run = await Product.EvaluationAsync(version.Id, variant, new Dictionary<string, double[]> { ["latency"] = [1] });
        await Product.WriteAsync(db => db.RowScores.AddRange(rows.Select(r => new RowScore
        {
            EvaluationRunId = run.Id, Task = "preference", RowKey = r.Key, Value = r.Value ?? 0, State = r.Value is null ? RowState.Missing : RowState.Scored, Error = r.Value is null ? "the judge did not answer" : null,
            Slice = r.Slice, Cluster = r.Cluster, Prompt = $"prompt {r.Key}",
        })));
        return run;
    }

    private static IEnumerable<(string, double?, string?, string?)> Rows(int count, Func<int, double?> value, Func<int, string?>? slice = null, Func<int, string?>? cluster = null) =>
        Enumerable.Range(0, count).Select(i => ($"{i:D4}", value(i), slice?.Invoke(i), cluster?.Invoke(i)));

    [Fact]
    public async Task MissingRows_AreCounted_AndNeverAveraged()
    {
        var a = await RunAsync("fp32", Rows(10, i => i is 0 or 9 ? null : 1));
        var b = await RunAsync("int8", Rows(9, i => i is 0 or 1 ? null : i == 2 ? 0 : 1));
        var metric = (await Get<CompareRuns>().CompareAsync(a.Id, b.Id)).Metrics.Single();
        Assert.Equal(new MissingRows(0, 1, 2), metric.Missing);
        Assert.Equal((7, 0, 1, 6), (metric.Difference.N, metric.Improved, metric.Regressed, metric.Same));
        Assert.Equal((1.0, 6 / 7.0), (metric.A, metric.B));
        var missing = await Get<CompareRuns>().RowsAsync([a.Id, b.Id], "preference", RowFilters.Missing, 0, 10);
        Assert.Equal(["0000", "0001", "0009"], missing.Rows.Select(r => r.RowKey));
        Assert.Equal((RowState.Missing, "the judge did not answer"), (missing.Rows[1].Runs[1]!.State, missing.Rows[1].Runs[1]!.Error));
        Assert.Null(missing.Rows[2].Runs[1]);
    }

    [Fact]
    public async Task ALargeRun_IsReadFromItsPackedColumns_WhileTheyAreOfItsEnd()
    {
        const int Many = PackColumns.Fewest + 3;
        double? Score(int i, int wrong) => i == 7 ? null : i % wrong == 0 ? 0 : 1;
        var a = await RunAsync("fp32", Rows(Many, i => Score(i, 50), i => i % 3 == 0 ? null : $"größe {i % 2}", i => $"source {i / 2}"));
        var b = await RunAsync("int8", Rows(Many, i => Score(i, 40), i => i % 3 == 0 ? null : $"größe {i % 2}", i => $"source {i / 2}"));
        async Task<MetricComparison> CompareAsync() => (await new CompareRuns(Product.Dbs, new ScoredRows(Product.Dbs)).CompareAsync(a.Id, b.Id, 1000)).Metrics.Single(m => m.Task.Name == "preference");
        var fromRows = await CompareAsync();

        var ended = Product.Clock.GetUtcNow();
        foreach (var run in new[] { a, b })
        {
            await using var db = Product.Open();
            await PackColumns.AddAsync(db, run, ended, default);
            (await db.EvaluationRuns.SingleAsync(r => r.Id == run.Id)).EndedAt = ended;
            await db.SaveChangesAsync();
        }
        Assert.Equal(2, await ReadAsync(db => db.PackedColumns.CountAsync(p => p.Task == "preference")));
        Assert.Equivalent(fromRows, await CompareAsync(), strict: true);

        // The rows change behind the columns: only with another end does anybody look at them again.
        await ReadAsync(db => db.RowScores.Where(r => r.EvaluationRunId == b.Id && r.Task == "preference" && r.State == RowState.Scored).ExecuteUpdateAsync(u => u.SetProperty(r => r.Value, 1)));
        Assert.Equal(fromRows.Regressed, (await CompareAsync()).Regressed);
        await ReadAsync(db => db.EvaluationRuns.Where(r => r.Id == b.Id).ExecuteUpdateAsync(u => u.SetProperty(r => r.EndedAt, ended.AddSeconds(1))));
        Assert.Equal(0, (await CompareAsync()).Regressed);

        // Damaged bytes are no reason to fail.
        await ReadAsync(db => db.PackedColumns.Where(p => p.EvaluationRunId == a.Id).ExecuteUpdateAsync(u => u.SetProperty(p => p.Bytes, new byte[] { 1, 0, 0, 0, 255, 255, 255, 127 })));
        Assert.Equal(fromRows.A, (await CompareAsync()).A);
    }

    [Fact]
    public async Task Slices_AreComparedByThemselves()
    {
        var a = await RunAsync("fp32", Rows(60, _ => 1, i => i % 2 == 0 ? "noun" : "verb"));
        var b = await RunAsync("int8", Rows(60, i => i % 2 == 0 ? 1 : 0, i => i % 2 == 0 ? "noun" : "verb"));
        var metric = (await Get<CompareRuns>().CompareAsync(a.Id, b.Id)).Metrics.Single();
        Assert.Equal([("noun", 30, 0.0, 0), ("verb", 30, -1.0, 30)], metric.Slices.Select(s => (s.Slice, s.N, s.Effect, s.Regressed)));
        Assert.Equal(-1, metric.Judgement);
    }

    [Fact]
    public async Task ALargeSlice_HasTheIntervalOfTheWhole()
    {
        // Everything is in one large slice but for two rows, so the slice's interval in closed form has to agree with the resampled one of the whole.
        var random = new Random(3);
        var weights = Enumerable.Range(0, 4002).Select(i => 50.0 + i % 40).ToArray();
        async Task<EvaluationRun> Corpus(string variant, double worse)
        {
            var run = await Product.EvaluationAsync((await Product.VersionAsync("tiny-lm", variant)).Id, variant, new Dictionary<string, double[]> { ["latency"] = [1] });
            await Product.WriteAsync(db => db.RowScores.AddRange(weights.Select((w, i) => new RowScore { EvaluationRunId = run.Id, Task = "corpus", RowKey = $"{i:D4}", Value = w * (2 + worse) + 10 * random.NextDouble(), Weight = w, Slice = i < 4000 ? "most" : "rest" })));
            return run;
        }
        var metric = (await Get<CompareRuns>().CompareAsync((await Corpus("fp32", 0)).Id, (await Corpus("int8", 0.01)).Id)).Metrics.Single();
        var (whole, most) = (metric.Difference, metric.Slices[0]);
        Assert.Equal(("most", 4000), (most.Slice, most.N));
        Assert.Equal(whole.Value, most.Effect, 3);
        Assert.Equal(1, (most.High - most.Low) / (whole.High - whole.Low), 0.05);
        Assert.True(most.PValue < 0.001 && most.Low > 0);
    }

    [Fact]
    public async Task RowsOfOneSource_CountLess()
    {
        // Ten sources of twenty rows that rise and fall together are ten observations, not two hundred.
        static double? Value(int i) => i / 20 % 3 == 0 ? 0 : 1;
        var (a, b) = (await RunAsync("fp32", Rows(200, _ => 0)), await RunAsync("int8", Rows(200, Value)));
        var (clusteredA, clusteredB) = (await RunAsync("fp32-again", Rows(200, _ => 0, null, i => $"source {i / 20}")), await RunAsync("int8-again", Rows(200, Value, null, i => $"source {i / 20}")));
        var alone = (await Get<CompareRuns>().CompareAsync(a.Id, b.Id)).Metrics.Single();
        var clustered = (await Get<CompareRuns>().CompareAsync(clusteredA.Id, clusteredB.Id)).Metrics.Single();
        Assert.Equal((null, 10), (alone.Clusters, clustered.Clusters!.Value));
        Assert.Equal(alone.Difference.Value, clustered.Difference.Value, 12);
        Assert.True(clustered.Difference.High - clustered.Difference.Low > 2 * (alone.Difference.High - alone.Difference.Low));
    }

    [Fact]
    public async Task ManyRuns_AreComparedWithTheFirst_AndFiltered()
    {
        var runs = new[] { await RunAsync("a", Rows(6, i => i < 3 ? 1 : 0)), await RunAsync("b", Rows(6, i => i < 2 ? 1 : 0)), await RunAsync("c", Rows(6, i => i is < 3 or 5 ? 1 : 0)) }.Select(r => r.Id).ToList();
        var comparisons = await Get<CompareRuns>().CompareAllAsync(runs);
        Assert.Equal([(0, 1), (1, 0)], comparisons.Select(c => (c.Metrics[0].Improved, c.Metrics[0].Regressed)));
        Assert.All(comparisons, c => Assert.True(c.Metrics[0].AdjustedPValue >= c.Metrics[0].PValue));
        async Task<IEnumerable<string>> Keys(string? filter) => (await Get<CompareRuns>().RowsAsync(runs, "preference", filter, 0, 10)).Rows.Select(r => r.RowKey);
        Assert.Equal(["0002"], await Keys(RowFilters.Regressed));
        Assert.Equal(["0005"], await Keys(RowFilters.Improved));
        Assert.Equal(["0002", "0005"], await Keys(RowFilters.Disagree));
        Assert.Equal(6, (await Keys(null)).Count());
        Assert.Contains("preference", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<CompareRuns>().RowsAsync(runs, "poetry", null, 0, 10)), StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<CompareRuns>().CompareAllAsync([runs[0]]));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<CompareRuns>().CompareAllAsync([runs[0], runs[0]]));
    }

    [Fact]
    public async Task Runs_AreNamed_ByIdOrByVersionAndVariant()
    {
        var run = await RunAsync("int8", Rows(3, _ => 1));
        var resolve = Get<ResolveRuns>();
        Assert.Equal([run.Id, run.Id, run.Id], await resolve.ResolveAsync($"{run.Id}, tiny-lm/1:int8,tiny-lm/1"));
        Assert.Contains("has no finished evaluation of the suite 'other'", await RefusedAsync(ErrorCode.InvalidParameterValue, () => resolve.ResolveAsync("tiny-lm/1:int8", "other")), StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => resolve.ResolveAsync("nobody/1"));
    }

    [Fact]
    public async Task Plan_SaysWhatRowsCanShow_BeforeTheyAreRun()
    {
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<PlanEvaluation>().PlanAsync(new("quickstart")));
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        double[] right = [.. Enumerable.Range(0, 400).Select(i => i % 2 == 0 ? 1.0 : 0)], other = [.. right.Select((v, i) => i % 10 == 0 ? 1 - v : v)];
        await Product.EvaluationAsync(version.Id, "fp32", new Dictionary<string, double[]> { ["preference"] = right });
        var alone = (await Get<PlanEvaluation>().PlanAsync(new("quickstart", Rows: 400, Margin: 0.05))).Metrics.Single();
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = other });
        var paired = (await Get<PlanEvaluation>().PlanAsync(new("quickstart", Rows: 400, Margin: 0.05))).Metrics.Single();
        Assert.Equal((SpreadSource.OneRun, SpreadSource.EarlierPair), (alone.Source, paired.Source));
        // One row in ten flips: a row's difference spreads by about 0.3, so 400 rows see (1.645 + 0.842) · 0.3 ÷ 20 = 0.037.
        Assert.InRange(paired.Detectable, 0.033, 0.042);
        Assert.True(paired.Enough, paired.Words);
        Assert.True(alone.Detectable > 2 * paired.Detectable && alone.Enough == false, alone.Words);
        var fewer = (await Get<PlanEvaluation>().PlanAsync(new("quickstart", Rows: 100))).Metrics.Single();
        Assert.Equal(2, fewer.Detectable / paired.Detectable, 6);
    }

    [Fact]
    public async Task Policies_AreNeverChanged()
    {
        const string Yaml = "name: release\nnon_inferiority:\n  - metric: preference.accuracy\n    margin: 0.05\n";
        var first = await Get<SavePolicy>().SaveAsync(Yaml, Product.Alice);
        Assert.Equal(first.Id, (await Get<SavePolicy>().SaveAsync(Yaml.ReplaceLineEndings("\r\n"), Product.Alice)).Id);
        var second = await Get<SavePolicy>().SaveAsync(Yaml.Replace("0.05", "0.1", StringComparison.Ordinal), Product.Alice);
        Assert.Equal((1, 2), (first.Number, second.Number));
        Assert.Equal(0.05, (await Get<ReadPolicies>().GetByKeyAsync("release/1")).Document.Rules[0].Bound);
        Assert.Equal((2, 0.1), ((await Get<ReadPolicies>().GetByKeyAsync("release")).Number, (await Get<ReadPolicies>().GetAsync("release")).Document.Rules[0].Bound));
        Assert.Equal("release/2", Assert.Single(await Get<ReadPolicies>().ListAsync()).Key);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<SavePolicy>().SaveAsync(Yaml, Product.Victor));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<SavePolicy>().SaveAsync("name: x", Product.Alice));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadPolicies>().GetByKeyAsync("release/9"));
        Assert.Equal(20, (await AtOnceAsync(20, i => Get<SavePolicy>().SaveAsync(Yaml.Replace("0.05", $"0.{i + 10}", StringComparison.Ordinal), Product.Alice))).Select(p => p.Number).Distinct().Count());
    }

    [Fact]
    public async Task EachNewMeasurement_IsALook_AndJudgingItAgainIsNone()
    {
        await Get<SavePolicy>().SaveAsync("name: release\nlooks: 2\nthresholds:\n  - metric: preference.accuracy\n    at_least: 0.5\n", Product.Alice);
        var version = await Product.VersionAsync("tiny-lm", "int8");
        async Task<JudgedVariant> Judge() => (await Get<JudgeVersion>().DecideAsync(new("tiny-lm/1", "quickstart", Policy: "release"), Product.Alice)).Variants.Single();
        for (var look = 1; look <= 3; look++)
        {
            Product.Clock.Advance(TimeSpan.FromMinutes(1));
            await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [.. Enumerable.Range(0, 100).Select(i => i % 10 == 0 ? 0.0 : 1)] });
            Assert.Equal((look, look), ((await Judge()).Outcome.Look, (await Judge()).Outcome.Look));
        }
        Assert.Equal(Verdict.CannotTell, (await Judge()).Outcome.Verdict);
        Assert.Equal([1, 1, 2, 2, 3, 3, 3], await ReadAsync(db => db.GateDecisions.OrderBy(d => d.At).ThenBy(d => d.Look).Select(d => d.Look).ToListAsync()));
        var report = Json.Read<GateReport>((await ReadAsync(db => db.GateDecisions.FirstAsync())).ReportJson!);
        Assert.Equal(("release/1", 2), (report.Policy, report.Looks));
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<JudgeVersion>().DecideAsync(new("tiny-lm/1", "quickstart", Policy: "release"), Product.Victor));
    }
}

public sealed class ComparisonOnSqlite() : ComparisonTests(DatabaseProvider.Sqlite);

public sealed class ComparisonOnPostgres() : ComparisonTests(DatabaseProvider.Postgres);
