using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Evaluation;

public abstract class NoiseTests(DatabaseProvider provider) : ProductTests(provider)
{
    private async Task<List<EvaluationRun>> RepeatsAsync(ModelVersion version, string variant, params double?[][] values)
    {
        await Product.Get<SaveSuite>().SaveAsync(SuiteTests.Facts, Product.Alice);
        var suite = await ReadAsync(db => db.SuiteVersions.SingleAsync());
        var runs = values.Select((_, repeat) => new EvaluationRun
        {
            SuiteId = suite.SuiteId, SuiteVersionId = suite.Id, VersionId = version.Id, VariantName = variant, Repeat = repeat, State = JobState.Succeeded, JobId = new Guid(version.Number, 0, 0, new byte[8]), StartedAt = Product.Clock.GetUtcNow(),
            CreatedBy = "alice", DatasetsJson = "{}", TasksJson = Json.Write(SuiteDocument.Parse(SuiteTests.Facts).Measures),
        }).ToList();
        await Product.WriteAsync(db =>
        {
            db.AddRange(runs);
            db.RowScores.AddRange(runs.Zip(values).SelectMany(r => r.Second.Select((value, i) => new RowScore { EvaluationRunId = r.First.Id, Task = "animals.accuracy", RowKey = $"{i}", Value = value ?? 0, State = value is null ? RowState.Missing : RowState.Scored })));
        });
        return runs;
    }

    [Fact]
    public async Task Repeats_GiveTheFloor_OnTheRowsThatAllOfThemScored()
    {
        var version = await Product.VersionAsync();
        // Row 4 is missing once, so it counts nowhere. The means of the others: 0.5, 0.75, 0.25.
        var runs = await RepeatsAsync(version, "int8", [1, 1, 0, 0, 1], [1, 1, 0, 1, null], [1, 0, 0, 0, 1]);
        var noise = (await Get<ReadNoise>().OfRunAsync(runs[1].Id))!;
        var metric = Assert.Single(noise.Metrics);
        Assert.Equal((3, version.Key().ToString(), "int8", 1, "animals.accuracy", 4), (noise.Runs.Count, noise.Version, noise.Variant, noise.SuiteNumber, metric.Name, metric.Rows));
        Assert.Equal((0.5, 0.25, 0.5), (metric.Mean, metric.Sd, metric.FlippedShare));
        // Student's 97.5 % point with two degrees of freedom is 4.302653 (any table).
        Assert.Equal(4.302653 * Math.Sqrt(2) * 0.25, metric.Floor, 5);
        Assert.Equal(0.5 - 4.302653 * 0.25 / Math.Sqrt(3), metric.Low, 5);
        Assert.Equal(noise.Metrics, Assert.Single(await Get<ReadNoise>().OfSuiteAsync("facts", 1)).Metrics);
        Assert.Empty(await Get<ReadNoise>().OfSuiteAsync("facts", 2));
    }

    [Fact]
    public async Task ADifference_IsHeldAgainstTheFloor_OfEitherRunOrOfTheSuite()
    {
        var (one, two, three) = (await Product.VersionAsync("one"), await Product.VersionAsync("two"), await Product.VersionAsync("three"));
        var noisy = await RepeatsAsync(one, "int8", [1, 1, 0, 0], [1, 1, 0, 1]);
        Assert.Null(await Get<ReadNoise>().OfRunAsync((await SingleAsync(two, [1, 0, 0, 0])).Id));
        var (b, c) = (await SingleAsync(two, [1, 0, 0, 1]), await SingleAsync(three, [1, 1, 1, 1]));

        // Two repeats with a difference of 0.25: the floor is 12.706 · √2 · 0.177, above any difference of shares.
        var own = BelowNoise.Of((await Get<CompareRuns>().CompareAsync(noisy[0].Id, b.Id)).Metrics, await Get<ReadNoise>().ForComparisonAsync(noisy[0].Id, b.Id));
        Assert.Equal(("animals.accuracy", 0.0), (own.Single().Metric, own.Single().Effect));
        Assert.Equal(12.7062 * 0.25, own.Single().Floor, 3);
        var borrowed = BelowNoise.Of((await Get<CompareRuns>().CompareAsync(b.Id, c.Id)).Metrics, await Get<ReadNoise>().ForComparisonAsync(b.Id, c.Id));
        Assert.Equal((0.5, "2 repeats of one/1 int8"), (borrowed.Single().Effect, borrowed.Single().Basis));
    }

    private async Task<EvaluationRun> SingleAsync(ModelVersion version, double?[] values)
    {
        var run = (await RepeatsAsync(version, Guid.NewGuid().ToString("N")[..8], values)).Single();
        return run;
    }

    [Fact]
    public async Task APlan_DoesNotTakeRowsThatAreAllAlike_ForRowsWithoutSpread()
    {
        const string yaml = "name: words\ntasks:\n  - { name: t, kind: generation, prompt: '{{ q }}', target: '{{ a }}', metrics: [f1, bleu], rows: [{ q: a, a: b }] }\n";
        await Get<SaveSuite>().SaveAsync(yaml, Product.Alice);
        var suite = await ReadAsync(db => db.SuiteVersions.SingleAsync());
        var tasks = SuiteDocument.Parse(yaml).Measures;
        var run = new EvaluationRun { SuiteId = suite.SuiteId, SuiteVersionId = suite.Id, VersionId = (await Product.VersionAsync()).Id, VariantName = "int8", State = JobState.Succeeded, JobId = Guid.NewGuid(), StartedAt = Product.Clock.GetUtcNow(), CreatedBy = "alice", DatasetsJson = "{}", TasksJson = Json.Write(tasks) };
        await Product.WriteAsync(db =>
        {
            db.Add(run);
            foreach (var task in tasks)
                db.EvaluationMetrics.Add(new EvaluationMetric { EvaluationRunId = run.Id, Name = task.FullName, Value = 0, Low = 0, High = 0, N = 6, Unit = task.Unit, HigherIsBetter = true });
        });
        // F1 lies between 0 and 1, so the worst is known; of BLEU nothing is.
        var planned = Assert.Single((await Get<PlanEvaluation>().PlanAsync(new("words", Margin: 0.05))).Metrics);
        Assert.Equal(("t.f1", SpreadSource.Worst, false), (planned.Name, planned.Source, planned.Enough));
        Assert.Equal(Math.Sqrt(0.5), planned.Spread, 12);
    }

    [Fact]
    public async Task RepeatsThatAgree_HaveNoFloor_SoNothingIsBelowIt()
    {
        var runs = await RepeatsAsync(await Product.VersionAsync(), "int8", [1, 0], [1, 0]);
        var metric = (await Get<ReadNoise>().OfRunAsync(runs[0].Id))!.Metrics.Single();
        Assert.Equal((0.0, 0.0, 0.0), (metric.Sd, metric.Floor, metric.FlippedShare));
        Assert.Empty(BelowNoise.Of((await Get<CompareRuns>().CompareAsync(runs[0].Id, runs[1].Id)).Metrics, await Get<ReadNoise>().ForComparisonAsync(runs[0].Id, runs[1].Id)));
    }
}

public sealed class NoiseOnSqlite() : NoiseTests(DatabaseProvider.Sqlite);

public sealed class NoiseOnPostgres() : NoiseTests(DatabaseProvider.Postgres);
