using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Worker.Handlers;

public sealed class ImportDataHandler(ImportDataset import, PipelineFolders folders, Hints hints) : IJobHandler
{
    public string Kind => "import-data";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var parameters = spec.Parameters<ImportDataParameters>();
        var folder = folders.Resolve(spec.Folder, parameters.Source);
        (string Output, DatasetKind Kind, string File)[] wanted =
        [
            ("corpus", DatasetKind.Corpus, parameters.CorpusFile),
            ("instructions", DatasetKind.Instruction, parameters.InstructionsFile),
            ("preferences", DatasetKind.Preference, parameters.PreferencesFile),
            ("unpaired", DatasetKind.Unpaired, parameters.UnpairedFile),
            ("images", DatasetKind.Image, parameters.ImagesFile),
            ("table", DatasetKind.Table, parameters.TableFile),
        ];
        var prepared = new List<(string Output, PreparedDataset Dataset)>();
        foreach (var (output, kind, file) in wanted.Where(w => w.File.Length > 0))
        {
            ct.ThrowIfCancellationRequested();
            var path = Path.Combine(folder, Path.GetFileName(file));
            if (!File.Exists(path))
                throw LlmOpsException.Invalid($"The file '{file}' is not in '{parameters.Source}'. Put it there, or set the parameter to an empty text to leave it out.");
            await using var stream = File.OpenRead(path);
            var dataset = await import.PrepareAsync($"{parameters.Name}-{output}", kind, stream, parameters.OnBadRow == "quarantine", parameters.Licence,
                $"{spec.Folder}/{parameters.Source}/{file}", job.JobId, job.WorkFolder, ct);
            prepared.Add((output, dataset));
            if (dataset.Statistics.Formats is { } formats)
                job.Log($"{dataset.Name}: mapped to the columns of its kind: {string.Join(", ", formats.Select(f => $"{f.Value:N0} rows of {f.Key}"))}.");
            job.Log($"{dataset.Name}: {dataset.TrainRows:N0} train rows, {dataset.HeldOutRows:N0} held-out rows, {dataset.QuarantinedRows:N0} set aside; {dataset.Statistics.Headwords:N0} headwords.");
            job.Report((double)prepared.Count / wanted.Length, dataset.Name);
        }
        if (prepared.Count == 0)
            throw LlmOpsException.Invalid("All file parameters are empty: there is nothing to import.");
        // All datasets of the stage appear together or not at all.
        await job.CompleteAsync(async db =>
        {
            var outputs = new Dictionary<string, string>();
            foreach (var (output, dataset) in prepared)
                outputs[output] = (await ImportDataset.PublishAsync(db, dataset, job.Actor, job.Time.GetUtcNow(), ct)).KeyText();
            return outputs;
        }, ct);
        await hints.ChangedAsync(Areas.Dataset, Guid.Empty);
    }
}
