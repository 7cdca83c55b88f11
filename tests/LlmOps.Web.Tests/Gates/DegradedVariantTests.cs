using System.Text.Json;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using LlmOps.Worker;
using LlmOps.Worker.Handlers;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Gates;

/// <summary>
/// A real decoder, its copy and a form of it that was quantized far too hard, measured row by row by the real engines. The preferences are
/// those of the full-precision model itself, so every number below follows from the weights and from nothing that a test made up.
/// </summary>
public sealed class DegradedVariantTests : IAsyncLifetime
{
    private const string Policy = """
        name: release
        minimum_rows: 20
        non_inferiority:
          - metric: preference.accuracy
            margin: 0.03
        """;
    private readonly string folder = Directory.CreateTempSubdirectory("llmops-gates-").FullName;
    private TestProduct product = null!;

    public async ValueTask InitializeAsync()
    {
        product = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        TinyModels.WriteLlama(At("checkpoint"));
        new DecoderExport().Run(At("checkpoint"), At("fp32"));
        new BlockwiseRtn(Bits: 2, HeadBits: 4).Run(At("fp32"), At("bad"));
        await product.DatasetAsync("taste", DatasetKind.Preference, Preferences(6000));
        await product.Get<SavePolicy>().SaveAsync(Policy, product.Alice);
        await PublishAsync("fp32");
        await product.PromoteAsync(await VersionAsync(1), "fp32");
        await PublishAsync("copy", "bad");
    }

    public async ValueTask DisposeAsync()
    {
        await product.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task ADegradedVariant_IsRefused_ItsOriginalUnderAnotherNameIsNot_AndFewRowsCannotTell()
    {
        var many = await GateAsync(rows: 500);
        Assert.Equal([("bad", Verdict.Fail, false), ("copy", Verdict.Pass, true)], many.Select(d => (d.VariantName, d.Verdict, d.Chosen)));
        var reason = Json.Read<List<RuleResult>>(many[0].ReasonsJson).Single();
        Assert.Equal("preference.accuracy no-worse-than champion by 0.03", reason.Rule);
        Assert.Contains("it is worse by more than the margin", reason.Reason, StringComparison.Ordinal);
        Assert.True(reason.Value < -0.03 && reason.High < -0.03, reason.Reason);
        var compared = Json.Read<GateReport>(many[0].ReportJson!).Compared.Single(c => c.Task.FullName == "preference.accuracy");
        Assert.True(compared.Regressed > compared.Improved && compared.Difference.N == 500, reason.Reason);

        // On a twentieth of the rows even the copy is not shown to be as good, and the gate says how many rows would do.
        var few = await GateAsync(rows: 25);
        var copy = few.Single(d => d.VariantName == "copy");
        Assert.Equal(Verdict.CannotTell, copy.Verdict);
        var needed = Json.Read<List<RuleResult>>(copy.ReasonsJson).Single().MoreRows;
        Assert.InRange(needed ?? 0, 100, 2000);
        Assert.Contains(FormattableString.Invariant($"needs {needed:N0} more rows"), Json.Read<GateReport>(copy.ReportJson!).Words, StringComparison.Ordinal);

        // Below the policy's minimum not even the bad one is condemned.
        Assert.All(await GateAsync(rows: 12), d => Assert.Equal((Verdict.CannotTell, 8), (d.Verdict, Json.Read<List<RuleResult>>(d.ReasonsJson).Single().MoreRows!.Value)));
    }

    /// <summary>Evaluates champion and candidate on the first rows, then lets the gate's own handler decide.</summary>
    private async Task<List<GateDecision>> GateAsync(int rows)
    {
        var suite = $"taste-{rows}";
        foreach (var version in new[] { "tiny-lm/1", "tiny-lm/2" })
            await RunAsync(new EvaluateHandler(new DatasetFiles(product.Artifacts), product.Artifacts, product.Get<LlmOps.Lifecycle.Evaluation.Contamination.CheckContamination>(), product.Get<Hints>()), "evaluate",
                new EvaluateParameters { Version = version, Suite = suite, Preferences = "taste/1", MaxRows = rows, ProbeRepeats = 0, BootstrapResamples = 500 });
        var job = await RunAsync(new GateHandler(product.Get<JudgeVersion>()), "gate", new GateParameters { Version = "tiny-lm/2", Suite = suite, Policy = "release/1" });
        return await product.ReadAsync(db => db.GateDecisions.Where(d => d.JobId == job.Id).OrderBy(d => d.VariantName).ToListAsync());
    }

    private async Task<Job> RunAsync(IJobHandler handler, string kind, StageParameters parameters)
    {
        var spec = new StageSpec(Guid.NewGuid(), Guid.NewGuid(), "test", kind, "", JsonSerializer.Serialize(parameters, parameters.GetType(), Json.Options));
        await product.WriteAsync(db => db.Jobs.Add(new Job { Kind = kind, SpecJson = Json.Write(spec), State = JobState.Queued, Needs = "cpu", MaxAttempts = 1, CreatedById = product.Alice.Id, CreatedBy = product.Alice.Name, CreatedAt = product.Clock.GetUtcNow() }));
        product.Clock.Advance(TimeSpan.FromSeconds(1));
        var job = await product.ClaimAsync();
        await handler.RunAsync(product.Context(job), default);
        return job;
    }

    private async Task PublishAsync(params string[] variants)
    {
        await using var db = product.Open();
        var version = await db.AddVersionAsync(new NewVersion("tiny-lm", "import", await product.Artifacts.PutFolderAsync(At("checkpoint")), 1000, "", "", "MIT", "{}", null, null, null), product.Alice, product.Clock.GetUtcNow(), default);
        foreach (var name in variants)
            await db.PutVariantAsync(new NewVariant(version.Id, name, name, await product.Artifacts.PutFolderAsync(At(name == "bad" ? "bad" : "fp32")), null, "{}", null), product.Alice, product.Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
    }

    private Task<ModelVersion> VersionAsync(int number) => product.ReadAsync(db => db.ModelVersions.Include(v => v.Model).SingleAsync(v => v.Number == number));

    /// <summary>Pairs of answers, of which the chosen one is what the full-precision model finds more probable.</summary>
    private string Preferences(int count)
    {
        string[] words = ["dog", "fox", "word", "unit", "language", "people", "young", "quick", "lazy", "meaning", "small", "brown"];
        var random = new Random(7);
        string Answer() => string.Join(' ', Enumerable.Range(0, 4).Select(_ => words[random.Next(words.Length)]));
        var rows = Enumerable.Range(0, count).Select(i => (Key: $"row{i}", Prompt: $"define {words[i % words.Length]}", First: Answer(), Second: Answer())).Where(r => Split.IsHeldOut(r.Key) && r.First != r.Second).ToList();
        using var model = OnnxCausalModel.Load(At("fp32"));
        var tokenizer = Tokenizer.Load(At("fp32"));
        var format = PromptFormat.Load(At("fp32"), tokenizer);
        double[] Score(Func<(string Key, string Prompt, string First, string Second), string> answer) => [.. new SequenceScorer(model).Score([.. rows.Select(r =>
        {
            var head = format.Prompt(r.Prompt);
            return new ScoreRequest([.. head, .. format.Completion(answer(r))], head.Length);
        })]).Select(s => s.LogProbability)];
        var (first, second) = (Score(r => r.First), Score(r => r.Second));
        var kept = rows.Select((r, i) => JsonSerializer.Serialize(new { prompt = r.Prompt, chosen = first[i] > second[i] ? r.First : r.Second, rejected = first[i] > second[i] ? r.Second : r.First, headword = r.Key, rejected_kind = "wrong" }));
        // A dataset has training rows too; nobody reads these.
        return string.Join('\n', kept.Append(JsonSerializer.Serialize(new { prompt = "define dog", chosen = "a dog", rejected = "no", headword = "dog", rejected_kind = "wrong" })));
    }

    private string At(string name) => Path.Combine(folder, name);
}
