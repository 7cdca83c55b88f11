using System.Text.Json;
using LlmOps.Engines.Onnx;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using LlmOps.Worker;
using LlmOps.Worker.Handlers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Web.Tests.Suites;

/// <summary>A database with one version of a real, tiny, untrained model, and the real handler of suites.</summary>
public sealed class SuiteBench : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("llmops-suites-").FullName;

    private SuiteBench(TestProduct product) => Product = product;

    public TestProduct Product { get; }
    public string Checkpoint => Path.Combine(folder, "checkpoint");

    public static async Task<SuiteBench> CreateAsync(DatabaseProvider provider, int context = 96)
    {
        var bench = new SuiteBench(await TestProduct.CreateAsync(provider));
        TinyModels.WriteLlama(bench.Checkpoint, context: context);
        new DecoderExport().Run(bench.Checkpoint, Path.Combine(bench.folder, "fp32"));
        await using var db = bench.Product.Open();
        var (alice, now, artifacts) = (bench.Product.Alice, bench.Product.Clock.GetUtcNow(), bench.Product.Artifacts);
        var version = await db.AddVersionAsync(new NewVersion("tiny-lm", "import", await artifacts.PutFolderAsync(bench.Checkpoint), 1000, "", "", "MIT", "{}", null, null, null), alice, now, default);
        foreach (var name in new[] { "fp32", "copy" })
            await db.PutVariantAsync(new NewVariant(version.Id, name, "fp32", await artifacts.PutFolderAsync(Path.Combine(bench.folder, "fp32")), null, "{}", null), alice, now, default);
        await db.SaveChangesAsync();
        return bench;
    }

    /// <summary>Saves the suite and runs it as a worker with these settings would.</summary>
    /// <returns>The runs, by variant and repeat.</returns>
    public async Task<IReadOnlyList<EvaluationRun>> RunAsync(string yaml, string[]? variants = null, int repeats = 1, params (string Key, string Value)[] settings)
    {
        var saved = await Product.Get<SaveSuite>().SaveAsync(yaml, Product.Alice);
        var id = await Product.Get<StartSuiteRun>().StartAsync(new() { Suite = saved.Key, Version = "tiny-lm/1", Variants = variants ?? ["fp32"], Repeats = repeats, BootstrapResamples = 200 }, Product.Alice);
        return await GoOnAsync(id, settings);
    }

    public async Task<IReadOnlyList<EvaluationRun>> GoOnAsync(Guid jobId, params (string Key, string Value)[] settings)
    {
        Product.Clock.Advance(TimeSpan.FromSeconds(1));
        var job = await Product.ClaimAsync();
        Assert.Equal(jobId, job.Id);
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))).Build();
        var handler = new EvaluateSuiteHandler(new DatasetFiles(Product.Artifacts), Product.Artifacts, Product.Get<CheckContamination>(), Product.Get<Hints>(), WorkerSettings.From(configuration));
        await handler.RunAsync(Product.Context(job), default);
        return await Product.ReadAsync(db => db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Where(r => r.JobId == jobId).OrderBy(r => r.VariantName).ThenBy(r => r.Repeat).ToListAsync());
    }

    public Task<List<RowScore>> RowsAsync(Guid run, string task) => Product.ReadAsync(db => db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == run && r.Task == task).OrderBy(r => r.Id).ToListAsync());

    public static JsonElement Detail(string? json) => JsonDocument.Parse(json!).RootElement;

    public async ValueTask DisposeAsync()
    {
        await Product.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }
}
