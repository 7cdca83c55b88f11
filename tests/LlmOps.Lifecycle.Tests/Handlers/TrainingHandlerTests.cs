using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using LlmOps.Worker;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Tests.Handlers;

/// <summary>The real handlers of trainings, on a real model of two layers: what they read, what they publish, what they refuse.</summary>
public abstract class TrainingHandlerTests() : ProductTests(DatabaseProvider.Sqlite)
{
    protected WorkerSettings Settings => WorkerSettings.From(new ConfigurationBuilder().AddInMemoryCollection([new("Data:Folder", Product.Folder), new("Worker:Threads", "2")]).Build());

    protected DatasetFiles Files => new(Product.Artifacts);

    protected TrainingSources Sources => new(Files, Product.Artifacts);

    protected TrainingRecorder Recorder => new(Product.Artifacts, Get<CheckpointFolders>(), Get<Hints>(), Settings);

    /// <summary>A registered version of a random model.</summary>
    protected async Task<ModelVersion> ModelAsync(string model = "tiny-lm", string trainedOn = "facts/1", string licence = "Apache-2.0", int seed = 1)
    {
        var folder = Path.Combine(Product.Folder, "made", model);
        var config = TinyModels.WriteLlama(folder, seed);
        await using var db = Product.Open();
        var version = await db.AddVersionAsync(new NewVersion(model, "import", await Product.Artifacts.PutFolderAsync(folder), config.ParameterCount, "", trainedOn, licence, "{}", null, null, null), Product.Alice, Product.Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
        return version;
    }

    /// <summary>A dataset version of exactly these rows, such as no import lets through.</summary>
    protected async Task<DatasetVersion> RawDatasetAsync(string name, DatasetKind kind, object[] train, object[] heldOut)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Product.Folder, "made", name)).FullName;
        await File.WriteAllLinesAsync(Path.Combine(folder, ImportDataset.TrainFile), train.Select(r => Json.Write(r)));
        await File.WriteAllLinesAsync(Path.Combine(folder, ImportDataset.HeldOutFile), heldOut.Select(r => Json.Write(r)));
        await using var db = Product.Open();
        var prepared = new PreparedDataset(name, kind, await Product.Artifacts.PutFolderAsync(folder), train.Length, heldOut.Length, 0, DatasetStatistics.Of([], kind), "MIT", "a test", null);
        var version = await ImportDataset.PublishAsync(db, prepared, Product.Alice, Product.Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
        return version;
    }

    /// <summary>Carries out a stage as a worker does.</summary>
    protected async Task<Trained> TrainAsync(IJobHandler handler, StageParameters parameters)
    {
        var spec = new StageSpec(Guid.CreateVersion7(), Guid.CreateVersion7(), "a-pipeline", handler.Kind, "", JsonSerializer.Serialize(parameters, parameters.GetType(), Json.Options));
        await Product.WriteAsync(db => db.Jobs.Add(new Job
        {
            Kind = handler.Kind, SpecJson = Json.Write(spec), State = JobState.Queued, Needs = "cpu", MaxAttempts = 1, CreatedById = Product.Alice.Id, CreatedBy = Product.Alice.Name, CreatedAt = Product.Clock.GetUtcNow(),
        }));
        var job = await Product.ClaimAsync();
        var context = Product.Context(job);
        try
        {
            await handler.RunAsync(context, default);
        }
        finally
        {
            await context.FlushLogAsync();
        }
        var key = Json.Read<Dictionary<string, string>>((await ReadAsync(db => db.Jobs.AsNoTracking().SingleAsync(j => j.Id == job.Id))).ResultJson!)["version"];
        return new(
            await ReadAsync(db => db.ModelVersions.GetAsync(VersionKey.Parse(key))),
            await ReadAsync(db => db.Runs.AsNoTracking().Include(r => r.Params).SingleAsync(r => r.JobId == job.Id)),
            await ReadAsync(db => db.Metrics.AsNoTracking().Where(m => db.Runs.Any(r => r.Id == m.RunId && r.JobId == job.Id)).OrderBy(m => m.Step).ToListAsync()),
            await ReadAsync(db => db.JobLog.AsNoTracking().Where(l => l.JobId == job.Id).OrderBy(l => l.Id).ToListAsync()));
    }

    protected Task<List<JobLogLine>> LogAsync() => ReadAsync(db => db.JobLog.AsNoTracking().OrderBy(l => l.Id).ToListAsync());

    /// <summary>What stands in every version that comes of another one.</summary>
    protected async Task AssertComesOfAsync(Trained trained, ModelVersion source, string key, string trainedOn, int steps)
    {
        var version = trained.Version;
        Assert.Equal((key, source.Id, trainedOn, source.Licence), (version.Key().ToString(), version.ParentVersionId, version.TrainedOn, version.Licence));
        Assert.Equal((trained.Run.Id, trained.Run.Name, RunState.Succeeded), (version.RunId, version.Stage, trained.Run.State));
        Assert.NotEqual(source.ArtifactDigest, version.ArtifactDigest);
        Assert.True(File.Exists(Path.Combine(await Product.Artifacts.FolderAsync(version.ArtifactDigest), "model.safetensors")));
        Assert.Equal(Enumerable.Range(1, steps), trained.Curve("loss").Select(m => (int)m.Step));
        Assert.Equal(steps, trained.Report.GetProperty("steps").GetInt32());
        Assert.Equal(64, trained.Report.GetProperty("weights_sha256").GetString()!.Length);
    }

    /// <summary>What a training left behind.</summary>
    protected sealed record Trained(ModelVersion Version, Run Run, List<Metric> Metrics, List<JobLogLine> Log)
    {
        public JsonElement Report => JsonDocument.Parse(Version.ReportJson).RootElement;

        public List<Metric> Curve(string key) => Metrics.FindAll(m => m.Key == key);

        public double Number(string name) => Report.GetProperty("metrics").GetProperty(name).GetDouble();
    }
}
