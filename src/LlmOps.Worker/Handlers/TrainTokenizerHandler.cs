using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Worker.Handlers;

public sealed class TrainTokenizerHandler(DatasetFiles files, ArtifactStore artifacts) : IJobHandler
{
    public string Kind => "train-tokenizer";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var parameters = job.Spec<StageSpec>().Parameters<TrainTokenizerParameters>();
        var texts = new List<string>();
        await using (var db = await job.OpenDbAsync(ct))
        {
            texts.AddRange((await files.TrainAsync<CorpusText>(await db.DatasetVersions.GetAsync(parameters.Corpus, ct), ct)).Select(r => r.Text));
            if (parameters.Instructions.Length > 0)
                texts.AddRange((await files.TrainAsync<PromptCompletion>(await db.DatasetVersions.GetAsync(parameters.Instructions, ct), ct)).SelectMany(r => new[] { r.Prompt, r.Completion }));
        }
        var progress = new Progress<double>(p => job.Report(p * 0.95, "merging pairs"));
        var tokenizer = await Task.Run(() => new BpeTrainer(parameters.VocabularySize).Train(texts, progress, ct), ct);
        var folder = Directory.CreateDirectory(Path.Combine(job.WorkFolder, "tokenizer")).FullName;
        tokenizer.Save(folder);
        // Counted on held-in text, so it says how well the vocabulary fits, not how well it generalises.
        var sample = texts.Take(500).ToList();
        var tokens = sample.Sum(t => tokenizer.Encode(t).Length);
        job.Log($"{tokenizer.VocabularySize:N0} tokens learned from {texts.Count:N0} texts; {(double)sample.Sum(t => System.Text.Encoding.UTF8.GetByteCount(t)) / tokens:0.00} bytes per token on {sample.Count} of them.");
        var stored = await artifacts.PutFolderAsync(folder, ct);
        await job.CompleteAsync(_ => Task.FromResult(new Dictionary<string, string> { ["tokenizer"] = stored.Digest }), ct);
    }
}
