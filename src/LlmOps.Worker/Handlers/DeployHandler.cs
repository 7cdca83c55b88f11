using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Handlers;

public sealed class DeployHandler(Hints hints) : IJobHandler
{
    public string Kind => "deploy";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<DeployParameters>();
        var kind = p.Type == "rag" ? DeploymentKind.Rag : DeploymentKind.Chat;
        await job.CompleteAsync(async db =>
        {
            Guid? index = p.Index.Length > 0 ? (await db.IndexBuilds.GetAsync(p.Index, ct)).Id : null;
            var revision = await Deploy.AddRevisionAsync(db, p.Name, kind, p.Version, p.Variant, index, job.JobId, job.Actor, job.Time.GetUtcNow(), ct);
            job.Log($"{p.Name} revision {revision.Number} serves {p.Version}:{p.Variant}{(p.Index.Length > 0 ? " over " + p.Index : "")}.");
            return new Dictionary<string, string> { ["deployment"] = p.Name };
        }, ct);
        await hints.ChangedAsync(Areas.Deployment, Guid.Empty);
    }
}
