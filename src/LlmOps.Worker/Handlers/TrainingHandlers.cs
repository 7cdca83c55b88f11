using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Augmentation;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Training;

namespace LlmOps.Worker.Handlers;

public sealed class PretrainHandler(DatasetFiles files, ArtifactStore artifacts, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "pretrain";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<PretrainParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var corpus = await db.DatasetVersions.GetAsync(p.Corpus, ct);
        var texts = (await files.TrainAsync<CorpusText>(corpus, ct)).ConvertAll(r => r.Text);
        var heldOut = (await files.HeldOutAsync<CorpusText>(corpus, ct)).ConvertAll(r => r.Text);
        var tokenizer = Tokenizer.Load(await artifacts.FolderAsync(p.Tokenizer, ct));
        var options = new Pretraining
        {
            HiddenSize = p.HiddenSize, Layers = p.Layers, Heads = p.Heads, KvHeads = p.KvHeads, Intermediate = p.IntermediateSize, ContextLength = p.ContextLength, Dropout = p.Dropout,
        }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, p.Model, "pretrain", corpus.KeyText(), corpus.Licence, null,
            (target, work, progress, token) => options.Run(texts, heldOut, tokenizer, target, work, progress, token), ct);
    }
}

public sealed class FineTuneHandler(TrainingSources sources, DatasetFiles files, PipelineFolders folders, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "fine-tune";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<FineTuneParameters>();
        var from = await sources.FindAsync(job, p.Version, p.Instructions, ct, DatasetKind.Instruction, DatasetKind.Corpus);
        using var rows = await files.FineTuningAsync(from.Dataset, heldOut: false, ct);
        using var heldOut = await files.FineTuningAsync(from.Dataset, heldOut: true, ct);
        var options = new SupervisedFineTuning
        {
            LoraRank = p.Method == "lora" ? p.LoraRank : 0, LoraAlpha = p.LoraAlpha, RankStabilised = p.RankStabilised, Dora = p.Dora, LoraDropout = p.LoraDropout, Dropout = p.Dropout,
            Packing = p.Packing == "bfd" ? Packing.Bfd : Packing.None, AssistantOnly = p.AssistantOnly, NeftuneAlpha = p.NeftuneAlpha, LabelSmoothing = p.LabelSmoothing,
            Leakage = TrainingOptions.Leakage(p.Leakage),
            Augmentation = p.Augmentation.Count == 0 ? null : new TextAugmentation
            {
                Rules = [.. p.Augmentation.Select(AugmentationText.Parse)], Templates = p.Paraphrases, Synonyms = p.Synonyms.Length == 0 ? new Dictionary<string, IReadOnlyList<string>>() : ReadSynonyms(spec.Folder, p.Synonyms),
            },
        }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, from, (target, work, watch, token) => options.Run(from.Checkpoint, rows, heldOut, target, work, watch, token), ct);
    }

    private IReadOnlyDictionary<string, IReadOnlyList<string>> ReadSynonyms(string pipelineFolder, string file)
    {
        var path = Path.Combine(folders.Resolve(pipelineFolder, Path.GetDirectoryName(file) is { Length: > 0 } folder ? folder : "."), Path.GetFileName(file));
        return File.Exists(path) ? AugmentationText.Synonyms(File.ReadLines(path))
            : throw LlmOpsException.Invalid($"The file of synonyms '{file}' is not beside the pipeline. Put it there, or take synonyms out of augmentation.");
    }
}
