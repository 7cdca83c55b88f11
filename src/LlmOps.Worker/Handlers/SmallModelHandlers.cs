using System.Text;
using LlmOps.Engines.SmallModels;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Training.SmallModels;

namespace LlmOps.Worker.Handlers;

public sealed class MakeSamplesHandler(ImportDataset import, Hints hints) : IJobHandler
{
    public string Kind => "make-samples";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<MakeSamplesParameters>();
        var table = new TableRows(p.Noise, p.Seed);
        var (kind, rows) = p.Recipe switch
        {
            "two-moons" => (DatasetKind.Table, table.TwoMoons(p.Rows)),
            "plane" => (DatasetKind.Table, table.Plane(p.Rows)),
            _ => (DatasetKind.Image, string.Concat(GlyphImages.Make(p.Rows, p.Seed, p.Noise).Select(g => Json.Write(new { g.Pixels, g.Label }) + "\n"))),
        };
        // Through the same door as a file: checked, split and frozen in the same way.
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(rows));
        var dataset = await import.PrepareAsync(p.Name, kind, stream, false, "CC0-1.0", $"drawn by make-samples, recipe {p.Recipe}, seed {p.Seed}", job.JobId, job.WorkFolder, ct);
        job.Log($"{dataset.Name}: {dataset.TrainRows:N0} train rows, {dataset.HeldOutRows:N0} held-out rows.");
        await job.CompleteAsync(async db => new() { ["samples"] = (await ImportDataset.PublishAsync(db, dataset, job.Actor, job.Time.GetUtcNow(), ct)).KeyText() }, ct);
        await hints.ChangedAsync(Areas.Dataset, Guid.Empty);
    }
}

public sealed class TrainClassifierHandler(DatasetFiles files, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "train-classifier";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<TrainClassifierParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var dataset = await db.DatasetVersions.GetAsync(p.Samples, ct);
        var (samples, heldOut) = (await files.TrainSamplesAsync(dataset, ct), await files.HeldOutSamplesAsync(dataset, ct));
        var options = new CnnClassifier
        {
            FirstFilters = p.FirstFilters, SecondFilters = p.SecondFilters, HiddenSize = p.HiddenSize, LabelSmoothing = p.LabelSmoothing, Shift = p.Shift,
            Rotation = p.Rotation, FlipSideways = p.Flip is "sideways" or "both", FlipUpsideDown = p.Flip is "upside-down" or "both",
        }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, p.Model, "classifier", dataset.KeyText(), dataset.Licence, null,
            (target, work, watch, token) => options.Run(samples, heldOut, target, work, watch, token), ct);
    }
}

public sealed class TrainLstmHandler(DatasetFiles files, ArtifactStore artifacts, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "train-lstm";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<TrainLstmParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var corpus = await db.DatasetVersions.GetAsync(p.Corpus, ct);
        var texts = (await files.TrainAsync<CorpusText>(corpus, ct)).ConvertAll(r => r.Text);
        var heldOut = (await files.HeldOutAsync<CorpusText>(corpus, ct)).ConvertAll(r => r.Text);
        var tokenizer = Tokenizer.Load(await artifacts.FolderAsync(p.Tokenizer, ct));
        var options = new LstmLanguageModel
        {
            EmbeddingSize = p.EmbeddingSize, HiddenSize = p.HiddenSize, Layers = p.Layers, TieEmbeddings = p.TieEmbeddings, ContextLength = p.ContextLength, Temperature = p.Temperature,
        }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, p.Model, "lstm", corpus.KeyText(), corpus.Licence, null,
            (target, work, watch, token) => options.Run(texts, heldOut, tokenizer, target, work, watch, token), ct);
    }
}

public sealed class TrainBaselineHandler(DatasetFiles files, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "train-baseline";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<TrainBaselineParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var dataset = await db.DatasetVersions.GetAsync(p.Samples, ct);
        var (samples, heldOut) = (await files.TrainSamplesAsync(dataset, ct), await files.HeldOutSamplesAsync(dataset, ct));
        await recorder.TrainAndPublishAsync(job, spec, p, p.Model, "baseline", dataset.KeyText(), dataset.Licence, null, (target, _, watch, token) => p.Method == "kernel-svm"
            ? new KernelSvm { Gamma = p.Gamma, RandomFeatures = p.RandomFeatures, L2 = p.L2, Iterations = p.Iterations, Seed = p.Seed }.Run(samples, heldOut, target, watch, token)
            : new LinearRegression { L2 = p.L2, Iterations = p.Iterations, Seed = p.Seed }.Run(samples, heldOut, target, watch, token), ct);
    }
}
