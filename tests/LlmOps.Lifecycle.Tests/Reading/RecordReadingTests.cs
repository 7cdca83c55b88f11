using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Reading;

/// <summary>What the pages about models, datasets and runs read, in every order: both databases must understand each query.</summary>
public abstract class RecordReadingTests(DatabaseProvider provider) : ProductTests(provider)
{
    [Fact]
    public async Task Lists_AreReadInEveryOrder()
    {
        await LivedIn.MakeAsync(Product);
        await Product.DatasetAsync("facts", DatasetKind.Preference, TestProduct.PreferenceRows(40));
        await RunAsync("base", 30);
        var model = await Get<ReadModels>().GetAsync("tiny-lm");
        var experiment = await Get<ReadRuns>().ExperimentAsync("words");
        foreach (var descending in new[] { false, true })
        {
            foreach (var sort in new[] { null, "name", "versions", "parameters", "owner", "changed" })
                Assert.Single((await Get<ReadModels>().ListAsync(new("TINY", sort, descending))).Rows);
            foreach (var sort in new[] { null, "number", "stage", "parameters", "size", "created" })
                Assert.Equal(2, (await Get<ReadModels>().VersionsAsync(model.Id, new(Sort: sort, Descending: descending))).Total);
            foreach (var sort in new[] { null, "name", "kind", "versions", "train", "held-out", "quarantined", "size", "changed" })
                Assert.Single((await Get<ReadDatasets>().ListAsync(new("FACT", sort, descending), DatasetKind.Preference)).Rows);
            foreach (var sort in new[] { null, "name", "runs", "failed", "last" })
                Assert.NotEmpty((await Get<ReadRuns>().ExperimentsAsync(new(Sort: sort, Descending: descending))).Rows);
            foreach (var sort in new[] { null, "name", "state", "by", "started", "ended", "loss" })
                Assert.Single((await Get<ReadRuns>().ListAsync(experiment.Id, new("BASE", sort, descending), RunState.Running)).Rows);
        }
        Assert.Equal(0, (await Get<ReadModels>().ListAsync(new("nothing"))).Total);
        Assert.Empty((await Get<ReadDatasets>().ListAsync(new(), DatasetKind.Corpus)).Rows);
    }

    [Fact]
    public async Task ASuiteRun_StandsBesideTheBuiltInNumbers_AndHidesNone()
    {
        await Product.DatasetAsync("facts", DatasetKind.Preference, TestProduct.PreferenceRows(20));
        var version = await Product.VersionAsync("tiny-lm", "int8");
        await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [1, 1, 0, 1], ["latency"] = [5, 6, 5, 6] });
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        var suite = await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [0, 0, 0, 1] }, "harder");
        var tasks = Json.Write(new[] { new EvaluationTask("preference", "accuracy", "share", true, Proportion: true) { OfSuite = true } });
        await using (var db = Product.Open())
            await db.EvaluationRuns.Where(r => r.Id == suite.Id).ExecuteUpdateAsync(u => u.SetProperty(r => r.TasksJson, tasks));

        var detail = await Get<ReadVersion>().GetAsync(new("tiny-lm", 1));
        var measured = await Get<ReadVersion>().MeasurementsAsync(detail);
        var form = Assert.Single(measured.Variants);
        Assert.Equal(0.75, form.Metrics["preference.accuracy"].Value);
        var harder = Assert.Single(form.Suites);
        Assert.Equal(("harder", suite.Id, 0.25), (harder.Suite, harder.RunId, Assert.Single(harder.Metrics).Value));
        var card = ModelCard.Write(detail, "", measured, await Get<ReadLineage>().OfAsync(detail));
        Assert.Contains("### Suite harder", card, StringComparison.Ordinal);
        Assert.Contains("| preference.accuracy, share | 0.25 (", card, StringComparison.Ordinal);
        Assert.Equal(0.75, Assert.Single((await Get<ReadPareto>().OfVersionAsync(new("tiny-lm", 1), "preference.accuracy")).Points).Metrics["preference.accuracy"].Value);
    }

    [Fact]
    public async Task Version_IsComparedWithTheChampion_OnTheSameRows()
    {
        var lived = await LivedIn.MakeAsync(Product);
        var version = await Get<ReadVersion>().GetAsync(new("tiny-lm", 2));
        var measured = await Get<ReadVersion>().MeasurementsAsync(version);
        Assert.Equal(("tiny-lm/1", "int8"), (measured.Champion!.Version.ToString(), measured.Champion.Variant));
        var int8 = measured.Variants.Single(v => v.Variant == "int8");
        Assert.Equal((Verdict.Pass, true, lived.CandidateEvaluation), (int8.Verdict!.Value, int8.Chosen, int8.RunId!.Value));
        Assert.Equal(0.4, int8.Differences["preference.accuracy"].Value, 6);
        Assert.Equal(40, int8.Differences["preference.accuracy"].N);
        Assert.Null(measured.Variants.Single(v => v.Variant == "fp32").RunId);
        var champion = await Get<ReadVersion>().MeasurementsAsync(await Get<ReadVersion>().GetAsync(new("tiny-lm", 1)));
        Assert.All(champion.Variants, v => Assert.Empty(v.Differences));
    }

    [Fact]
    public async Task Version_KnowsWhereItRuns_AndWhatHappenedToIt()
    {
        await LivedIn.MakeAsync(Product);
        var version = await Get<ReadVersion>().GetAsync(new("tiny-lm", 1));
        Assert.Equal([(2, 100), (1, 0)], (await Get<ReadLineage>().ServingAsync(version.Id)).Select(s => (s.Revision, s.TrafficPercent)));
        var lineage = await Get<ReadLineage>().OfAsync(version);
        Assert.Equal(("facts/1", false), (lineage.Datasets[0].Key, lineage.Datasets[0].Exists));
        Assert.Contains(await Get<ReadLineage>().HistoryAsync(version), e => e.What == "Approved: int8 as production" && e.Who == "rosa");
        Assert.Equal(1, Assert.Single((await Get<ReadModels>().AliasMovesAsync(version.ModelId, 0, 10)).Rows).To);
        var card = ModelCard.Write(version, "", await Get<ReadVersion>().MeasurementsAsync(version), lineage);
        Assert.Contains("facts/1: no longer in this registry", card, StringComparison.Ordinal);
        Assert.Contains("0.4 (", card, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DatasetUses_AreOfThisVersion_NotOfOneWhoseNumberBeginsAlike()
    {
        await Product.VersionAsync();                                                // trained on facts/1
        Assert.Single((await Get<ReadDatasets>().UsesAsync("facts/1")).Trained);
        Assert.Empty((await Get<ReadDatasets>().UsesAsync("acts/1")).Trained);
        Assert.Empty((await Get<ReadDatasets>().UsesAsync("facts/11")).Trained);
    }

    [Fact]
    public async Task Annotations_AreCountedByPerson_AndTheNextRowIsTheFirstOpenOne()
    {
        var data = await Product.DatasetAsync("animals", DatasetKind.Preference, TestProduct.PreferenceRows(40));
        var (read, annotate) = (Get<ReadAnnotations>(), Get<Annotate>());
        foreach (var (row, answer) in new[] { (0, "chosen"), (1, "rejected"), (2, "tie"), (4, "skip") })
            await annotate.AnswerAsync(data.Id, "train", row, answer, Product.Alice);
        var progress = await read.ProgressAsync(data.Id, "train", data.TrainRows, Product.Alice.Id);
        Assert.Equal((4, 1, 1, 0.5, 2), (progress.Answered, progress.Ties, progress.Skipped, progress.Agreement!.Value, progress.Agreement.N));
        Assert.Equal(3, await read.NextAsync(data.Id, "train", data.TrainRows, Product.Alice.Id));
        Assert.Equal(4, await read.LastAsync(data.Id, "train", Product.Alice.Id));
        Assert.Null((await read.ProgressAsync(data.Id, "train", data.TrainRows, Product.Rosa.Id)).Agreement);
        var left = Enumerable.Range(0, 1000).Count(row => ReadAnnotations.ChosenIsLeft(data.Id, "train", row, Product.Alice.Id));
        Assert.InRange(left, 430, 570);
    }

    [Fact]
    public async Task Curves_AreThinnedOut_KeepTheirEnds_AndGoOnWhereTheyStopped()
    {
        var run = await RunAsync("long", 5000, every: 10);
        var curve = await Get<ReadCurves>().ReadAsync([new(run, "loss"), new(run, "nothing")]);
        Assert.InRange(curve.Steps.Count, 1000, ReadCurves.MostPoints + 1);
        Assert.Equal((10, 50_000), (curve.Steps[0], curve.Steps[^1]));
        Assert.All(curve.Series[1], v => Assert.True(double.IsNaN(v)));
        var rest = await Get<ReadCurves>().ReadAsync([new(run, "loss")], after: 49_950);
        Assert.Equal([49_960, 49_970, 49_980, 49_990, 50_000], rest.Steps);
        Assert.Empty((await Get<ReadCurves>().ReadAsync([new(Guid.NewGuid(), "loss")])).Steps);
        var row = Assert.Single((await Get<ReadRuns>().ListAsync((await Get<ReadRuns>().ExperimentAsync("words")).Id, new())).Rows);
        Assert.InRange(row.Loss.Count, 20, 80);
        Assert.Equal((50_000, 1.0 / 50_000), (row.Steps, row.Last["loss"]));
    }

    [Fact]
    public async Task Overview_OffersADecision_OnlyToWhoMayMakeIt()
    {
        var lived = await LivedIn.MakeAsync(Product);
        Assert.Equal(lived.Waiting.Id, Assert.Single((await Get<ReadOverview>().ReadAsync(Product.Rosa)).Mine).Id);
        var asker = await Get<ReadOverview>().ReadAsync(Product.Alice);
        Assert.Empty(asker.Mine);
        Assert.Equal(("tiny #1: import", "row 3 is no JSON"), (asker.Failures[0].What, asker.Failures[0].Error));
        Assert.Equal(2, asker.Newest.Count);
        Assert.False(asker.IsFirstRun);
    }

    [Fact]
    public async Task Search_FindsByAPartOfTheName_AndAVersionByItsNumber()
    {
        await LivedIn.MakeAsync(Product);
        Assert.Equal(["Model", "Pipeline", "Pipeline run"], (await Get<SearchEverything>().FindAsync("TINY")).Select(f => f.Kind));
        Assert.Equal("/models/tiny-lm/2", Assert.Single(await Get<SearchEverything>().FindAsync("tiny/2")).Path);
        Assert.Empty(await Get<SearchEverything>().FindAsync("  "));
        Assert.Equal("/deployments/assistant", Assert.Single(await Get<SearchEverything>().FindAsync("assist")).Path);
    }

    private async Task<Guid> RunAsync(string name, int points, int every = 1)
    {
        var now = Product.Clock.GetUtcNow();
        await using var db = Product.Open();
        var run = await db.EnsureRunAsync("words", name, Guid.CreateVersion7(), "alice", new Dictionary<string, string> { ["layers"] = "4" }, now, default);
        await db.SaveChangesAsync();
        await db.AddMetricsAsync(run.Id, [.. Enumerable.Range(1, points).Select(i => new MetricPoint("loss", i * every, 1.0 / (i * every)))], now, default);
        await db.SaveChangesAsync();
        return run.Id;
    }
}

public sealed class RecordReadingOnSqlite() : RecordReadingTests(DatabaseProvider.Sqlite);

public sealed class RecordReadingOnPostgres() : RecordReadingTests(DatabaseProvider.Postgres);
