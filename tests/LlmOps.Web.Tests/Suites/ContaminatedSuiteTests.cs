using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using LlmOps.TestKit;
using LlmOps.Worker;
using LlmOps.Worker.Handlers;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Suites;

/// <summary>A real model is measured by the real handlers on rows of which one is in what it was trained on; the gate's own handler decides.</summary>
public abstract class ContaminatedSuiteTests(DatabaseProvider provider) : IAsyncLifetime
{
    private const string Leak = "The quick brown fox jumps over the lazy dog near the river bank.";
    private const string Suite = """
        name: exam
        tasks:
          - { name: texts, kind: perplexity, dataset: exam/1, prompt: "", target: "{{ text }}", chat: false }
          - name: inline
            kind: perplexity
            chat: false
            prompt: ""
            target: "{{ sentence }}"
            rows:
              - { sentence: "Nothing of this sentence was ever in any lesson at all." }
        """;
    private SuiteBench bench = null!;

    public async ValueTask InitializeAsync() => bench = await SuiteBench.CreateAsync(provider, context: 256);

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return bench.DisposeAsync();
    }

    private static IEnumerable<string> Rows(bool heldOut, params string[] texts) =>
        Enumerable.Range(0, 1000).Select(i => $"word{i}").Where(w => Split.IsHeldOut(w) == heldOut).Zip(texts, (w, t) => JsonSerializer.Serialize(new { text = t, headword = w }));

    private async Task DataAsync(string trainedOn, params string[] lessons)
    {
        await bench.Product.DatasetAsync("exam", DatasetKind.Corpus, string.Join('\n', Rows(true, "A sentence that no lesson has, about seven boats.", Leak, "Another one about green hills and their sheep.")));
        await bench.Product.DatasetAsync("lessons", DatasetKind.Corpus, string.Join('\n', Rows(false, lessons)));
        await bench.Product.Get<SavePolicy>().SaveAsync("name: clean\ndemands:\n  contamination: zero\n", bench.Product.Alice);
        await bench.Product.ReadAsync(db => db.ModelVersions.ExecuteUpdateAsync(s => s.SetProperty(v => v.TrainedOn, trainedOn)));
    }

    private async Task<Job> JobAsync(IJobHandler handler, StageParameters parameters)
    {
        var spec = new StageSpec(Guid.NewGuid(), Guid.NewGuid(), "test", handler.Kind, "", JsonSerializer.Serialize(parameters, parameters.GetType(), Json.Options));
        await bench.Product.WriteAsync(db => db.Jobs.Add(Job.Queue(handler.Kind, Json.Write(spec), bench.Product.Alice, bench.Product.Clock.GetUtcNow())));
        bench.Product.Clock.Advance(TimeSpan.FromSeconds(1));
        var job = await bench.Product.ClaimAsync();
        await handler.RunAsync(bench.Product.Context(job), default);
        return await bench.Product.ReadAsync(db => db.Jobs.AsNoTracking().SingleAsync(j => j.Id == job.Id));
    }

    private Task<Job> GateAsync(string suite) => JobAsync(new GateHandler(bench.Product.Get<JudgeVersion>()), new GateParameters { Version = "tiny-lm/1", Suite = suite, Policy = "clean/1" });

    private static JsonElement Statement(EvaluationRun run) => SuiteBench.Detail(run.DetailJson).GetProperty("contamination");

    [Fact]
    public async Task AnEvaluationEndsWithTheStatement_AndOneLeakedRowFailsTheGateByName()
    {
        await DataAsync("lessons/1", "A lesson about boats.", "the quick brown fox jumps over the lazy dog, near the river bank!", "A lesson about hills.");
        var run = Assert.Single(await bench.RunAsync(Suite));
        var said = Statement(run);
        Assert.Equal(("Contaminated", 4, 1, 0, 0), (said.GetProperty("verdict").GetString(), said.GetProperty("rows").GetInt32(), said.GetProperty("exact").GetInt32(), said.GetProperty("near").GetInt32(), said.GetProperty("unchecked").GetArrayLength()));
        Assert.Equal("1 of 4 rows is in the training data: 1 word by word, 0 nearly.", said.GetProperty("words").GetString());
        Assert.Equal("Contaminated", (await bench.Product.Get<ReadEvaluations>().GetAsync(run.Id)).Contamination);
        // The key is the one under which the run has its score.
        var found = Assert.Single((await bench.Product.Get<ReadContamination>().OfRunAsync(run.Id)).Found);
        Assert.Equal(Leak, (await bench.RowsAsync(run.Id, "texts.bits_per_byte")).Single(r => r.RowKey == found.Key).Expected);

        var gate = await GateAsync("exam");
        Assert.Equal(JobState.Failed, gate.State);
        Assert.Contains("row 2 of exam/1", gate.Error, StringComparison.Ordinal);
        Assert.Contains("row 2 of lessons/1 (word by word)", gate.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ACleanEvaluation_PassesTheGate_AndTheStageSaysSo()
    {
        await DataAsync("lessons/1", "A lesson about boats.", "A lesson about hills.");
        var run = Assert.Single(await bench.RunAsync(Suite));
        Assert.Equal("Clean", Statement(run).GetProperty("verdict").GetString());
        var gate = await GateAsync("exam");
        Assert.True(gate.State == JobState.Succeeded, gate.Error);
        Assert.Contains("None of the 4 rows", (await bench.Product.ReadAsync(db => db.GateDecisions.AsNoTracking().SingleAsync())).ReasonsJson, StringComparison.Ordinal);

        var check = await JobAsync(new CheckContaminationHandler(bench.Product.Get<CheckContamination>(), bench.Product.Get<Hints>()), new CheckContaminationParameters { Runs = run.Id.ToString() });
        Assert.Equal(new Dictionary<string, string> { ["verdict"] = "Clean", ["rows"] = "0", ["unchecked"] = "" }, Json.Read<Dictionary<string, string>>(check.ResultJson!));
    }

    [Fact]
    public async Task AnUnknownAncestry_CannotTell()
    {
        await DataAsync("", "A lesson about boats.");
        var run = Assert.Single(await bench.RunAsync(Suite));
        var said = Statement(run);
        Assert.Equal("CannotTell", said.GetProperty("verdict").GetString());
        Assert.Contains("the version itself, which is not recorded", said.GetProperty("unchecked")[0].GetString(), StringComparison.Ordinal);
        var gate = await GateAsync("exam");
        Assert.Contains("never compared: the data of the version itself, which is not recorded", gate.Error, StringComparison.Ordinal);
        Assert.Equal(Verdict.CannotTell, (await bench.Product.ReadAsync(db => db.GateDecisions.AsNoTracking().SingleAsync())).Verdict);
    }

    [Fact]
    public async Task TheStage_ChecksADatasetWithoutAnyRun_AndNamesWhatItFound()
    {
        await DataAsync("lessons/1", "A lesson about boats.", Leak);
        var handler = new CheckContaminationHandler(bench.Product.Get<CheckContamination>(), bench.Product.Get<Hints>());
        var job = await JobAsync(handler, new CheckContaminationParameters { Dataset = "exam/1", Version = "tiny-lm/1" });
        Assert.Equal("Contaminated", Json.Read<Dictionary<string, string>>(job.ResultJson!)["verdict"]);
        Assert.Contains(await bench.Product.ReadAsync(db => db.JobLog.Where(l => l.JobId == job.Id).Select(l => l.Text).ToListAsync()), l => l.Contains("row 2 of exam/1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task TheBuiltInTasks_EndWithTheStatementToo()
    {
        await DataAsync("lessons/1", "A lesson about boats.", Leak);
        await JobAsync(new EvaluateHandler(new DatasetFiles(bench.Product.Artifacts), bench.Product.Artifacts, bench.Product.Get<CheckContamination>(), bench.Product.Get<Hints>()),
            new EvaluateParameters { Version = "tiny-lm/1", Suite = "built-in", Variants = ["fp32"], Corpus = "exam/1", ProbeRepeats = 0, BootstrapResamples = 200 });
        var run = await bench.Product.ReadAsync(db => db.EvaluationRuns.AsNoTracking().SingleAsync());
        Assert.Equal(("Contaminated", 3, 1), (Statement(run).GetProperty("verdict").GetString(), Statement(run).GetProperty("rows").GetInt32(), Statement(run).GetProperty("exact").GetInt32()));
        var found = Assert.Single((await bench.Product.Get<ReadContamination>().OfRunAsync(run.Id)).Found);
        Assert.Contains(await bench.RowsAsync(run.Id, "corpus"), r => r.RowKey == found.Key);
    }
}

public sealed class ContaminatedSuitesOnSqlite() : ContaminatedSuiteTests(DatabaseProvider.Sqlite);

public sealed class ContaminatedSuitesOnPostgres() : ContaminatedSuiteTests(DatabaseProvider.Postgres);
