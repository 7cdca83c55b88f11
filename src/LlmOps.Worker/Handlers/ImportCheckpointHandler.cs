using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Worker.Handlers;

/// <summary>A second run finds the bytes in the store and the version in the registry, and adds neither again.</summary>
public sealed class ImportCheckpointHandler(ImportModel import, PipelineFolders folders, Hints hints) : IJobHandler
{
    public string Kind => "import-checkpoint";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<ImportCheckpointParameters>();
        var (artifact, config, report) = await import.PrepareAsync(folders.Resolve(spec.Folder, p.Source), job.WorkFolder, ct);
        job.Log($"{report.Family}: {config.ParameterCount:N0} parameters in {report.Shards} file(s), vocabulary {report.VocabularySize:N0}, context {report.ContextLength:N0} tokens; every value is finite.");
        await job.CompleteAsync(async db =>
        {
            var made = new NewVersion(p.Model, ImportModel.Stage, artifact, config.ParameterCount, p.Description, "", p.Licence, Json.Write(report), null, null, job.JobId);
            return new() { ["version"] = (await ImportModel.PublishAsync(db, made, job.Actor, job.Time.GetUtcNow(), ct)).Key().ToString() };
        }, ct);
        await hints.ChangedAsync(Areas.Model, Guid.Empty);
    }
}
