using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Worker.Handlers;

public sealed class BuildIndexHandler(PipelineFolders folders, ArtifactStore artifacts, Hints hints) : IJobHandler
{
    public string Kind => "build-index";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<BuildIndexParameters>();
        var source = folders.Resolve(spec.Folder, p.Source);
        var documents = Directory.EnumerateFiles(source, "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        if (documents.Count == 0)
            throw LlmOpsException.Invalid($"'{p.Source}' holds no Markdown document (*.md): there is nothing to index.");
        await using var db = await job.OpenDbAsync(ct);
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var checkpoint = await artifacts.FolderAsync(version.ArtifactDigest, ct);
        var chunks = new List<Chunk>();
        foreach (var path in documents)
            chunks.AddRange(MarkdownChunker.Split(Path.GetRelativePath(source, path).Replace('\\', '/'), await File.ReadAllTextAsync(path, ct), p.ChunkWords));
        job.Report(0.3, $"{documents.Count} documents, {chunks.Count} chunks");
        var target = Path.Combine(job.WorkFolder, "index");
        var report = await Task.Run(() => HybridIndex.Build(chunks, checkpoint, target, ct), ct);
        job.Log($"{documents.Count} documents in {chunks.Count} chunks; keyword index and {report.Dimension}-dimensional vectors.");
        var stored = await artifacts.PutFolderAsync(target, ct);
        await job.CompleteAsync(async kept =>
        {
            var build = await kept.AddIndexAsync(new BuiltIndex(p.KnowledgeBase, stored, documents.Count, chunks.Count, report.Dimension, version.Id, Json.Write(report), job.JobId), job.Actor, job.Time.GetUtcNow(), ct);
            return new() { ["index"] = $"{build.KnowledgeBase!.Name}/{build.Number}" };
        }, ct);
        await hints.ChangedAsync(Areas.Knowledge, Guid.Empty);
    }
}
