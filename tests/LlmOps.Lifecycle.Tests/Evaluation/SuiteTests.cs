using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Evaluation;

public abstract class SuiteTests(DatabaseProvider provider) : ProductTests(provider)
{
    public const string Facts = """
        name: facts
        tasks:
          - name: animals
            kind: multiple-choice
            prompt: "{{ question }}"
            choices: "{{ choices }}"
            target: "{{ answer }}"
            metrics: [accuracy, accuracy_norm]
            rows:
              - { question: "A cat is", choices: [" an animal", " a stone"], answer: 0 }
              - { question: "A rock is", choices: [" an animal", " a stone"], answer: 1 }
        """;

    private const string Pairs = "name: pairs\ntasks:\n  - { name: p, kind: preference, dataset: pairs/1, prompt: '{{ prompt }}', chosen: '{{ chosen }}', rejected: '{{ rejected }}' }\n";

    /// <summary>A run that is over, with one row that failed.</summary>
    public static async Task<Guid> RunWithMissingRowAsync(TestProduct p)
    {
        var version = await p.VersionAsync();
        await p.Get<SaveSuite>().SaveAsync(Facts, p.Alice);
        var job = await p.Get<StartSuiteRun>().StartAsync(new() { Version = version.Key().ToString(), Suite = "facts/1", Variants = ["checkpoint"] }, p.Alice);
        var suite = await p.ReadAsync(db => db.SuiteVersions.SingleAsync());
        var run = new EvaluationRun
        {
            SuiteId = suite.SuiteId, SuiteVersionId = suite.Id, VersionId = version.Id, VariantName = "checkpoint", State = JobState.Succeeded, JobId = job, StartedAt = p.Clock.GetUtcNow(), CreatedBy = "alice",
            DatasetsJson = "{}", TasksJson = Json.Write(SuiteDocument.Parse(Facts).Measures),
        };
        await p.WriteAsync(db =>
        {
            db.Add(run);
            db.RowScores.Add(new RowScore { EvaluationRunId = run.Id, Task = "animals.accuracy", RowKey = "a", Value = 1 });
            db.RowScores.Add(new RowScore { EvaluationRunId = run.Id, Task = "animals.accuracy", RowKey = "b", State = RowState.Missing, Error = "it burst" });
        });
        await p.ReadAsync(db => db.Jobs.Where(j => j.Id == job).ExecuteUpdateAsync(s => s.SetProperty(j => j.State, JobState.Succeeded).SetProperty(j => j.Attempt, 3)));
        return run.Id;
    }

    [Fact]
    public async Task SameContent_IsTheSameVersion_AndAnotherIsTheNext()
    {
        var save = Get<SaveSuite>();
        var first = await save.SaveAsync(Facts, Product.Alice);
        var commented = await save.SaveAsync("# the same\n" + Facts, Product.Alice);
        var second = await save.SaveAsync(Facts.Replace("A rock is", "A pebble is", StringComparison.Ordinal), Product.Alice);
        var back = await save.SaveAsync(Facts, Product.Alice);
        Assert.Equal(("facts/1", true, "facts/1", false, "facts/2", true, "facts/1"), (first.Key, first.IsNew, commented.Key, commented.IsNew, second.Key, second.IsNew, back.Key));
        var changes = (await Get<ReadSuites>().GetAsync("facts")).Changes.Where(c => c.Sign != ' ').ToList();
        Assert.Equal(["−", "+"], changes.Select(c => c.Sign.ToString()));
        Assert.Contains("pebble", changes[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Digest_ContainsTheRowsOfTheDataset()
    {
        await Product.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(40));
        var saved = await Get<SaveSuite>().SaveAsync(Pairs, Product.Alice);
        var document = SuiteDocument.Parse(Pairs);
        var pins = await ReadAsync(db => SaveSuite.PinsAsync(db, document, default));
        Assert.Equal(saved.Digest, document.Digest(pins));
        Assert.NotEqual(saved.Digest, document.Digest(new Dictionary<string, string> { ["pairs/1"] = "other rows" }));
        Assert.Contains("pairs/7", await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<SaveSuite>().SaveAsync(Pairs.Replace("pairs/1", "pairs/7", StringComparison.Ordinal), Product.Alice)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RetryMissing_TakesAwayOnlyWhatIsMissing_AndQueuesTheJobAgain()
    {
        var run = await RunWithMissingRowAsync(Product);
        var kept = await ReadAsync(db => db.RowScores.Where(r => r.State == RowState.Scored).Select(r => r.Id).SingleAsync());
        var tasks = await Get<ReadRowScores>().TasksAsync(run);
        Assert.Equal((2, 1), (tasks[0].Rows, tasks[0].Missing));
        Assert.Equal("it burst", Assert.Single((await Get<ReadRowScores>().ListAsync(run, new("animals.accuracy", Outcome: "missing"), 0, 10)).Rows).Error);

        Assert.Equal(1, await Get<StartSuiteRun>().RetryMissingAsync(run, Product.Alice));

        Assert.Equal(kept, await ReadAsync(db => db.RowScores.Select(r => r.Id).SingleAsync()));
        var job = await ReadAsync(db => db.Jobs.SingleAsync());
        Assert.Equal((JobState.Queued, 0), (job.State, job.Attempt));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<StartSuiteRun>().RetryMissingAsync(run, Product.Alice));
    }

    [Fact]
    public void MissingRows_HaveNoPartInANumber()
    {
        var run = Guid.NewGuid();
        RowScore Row(string key, double value, RowState state = RowState.Scored) => new() { EvaluationRunId = run, Task = "animals.accuracy", RowKey = key, Value = value, State = state };
        var metric = Assert.Single(SummariseRows.Summarise(run, [Row("a", 1), Row("b", 1), Row("c", 0, RowState.Missing)], 200, SuiteDocument.Parse(Facts).Measures));
        Assert.Equal((1.0, 2), (metric.Value, metric.N));
        Assert.Empty(SummariseRows.Summarise(run, [Row("c", 0, RowState.Missing)], 200, SuiteDocument.Parse(Facts).Measures));
    }
}

public sealed class SuitesOnSqlite() : SuiteTests(DatabaseProvider.Sqlite);

public sealed class SuitesOnPostgres() : SuiteTests(DatabaseProvider.Postgres);
