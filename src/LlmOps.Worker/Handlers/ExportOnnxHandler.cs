using LlmOps.Engines.Onnx;
using LlmOps.Engines.SmallModels;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Training.SmallModels;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Handlers;

/// <summary>Export and proof are one stage: a graph that does not compute what the checkpoint computes is never published.</summary>
public sealed class ExportOnnxHandler(ArtifactStore artifacts, Hints hints) : IJobHandler
{
    public const string Variant = "fp32";

    public string Kind => "export-onnx";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<ExportOnnxParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var checkpoint = await artifacts.FolderAsync(version.ArtifactDigest, ct);
        var target = Path.Combine(job.WorkFolder, "onnx");
        var small = SmallModelConfig.TryRead(checkpoint);
        job.Report(0.05, "writing the graph and its weights");
        var exported = await Task.Run(() => small is null ? new DecoderExport(Enum.Parse<GraphForm>(p.Form, ignoreCase: true)).Run(checkpoint, target, null, ct) : SmallModelExport.Run(checkpoint, target), ct);
        job.Log($"{exported.Nodes} nodes, {exported.Parameters:N0} parameters, {exported.TargetBytes:N0} bytes in {exported.Seconds:0.0} s.");
        job.Report(0.4, "comparing with the checkpoint");
        var parity = await Task.Run(() =>
        {
            if (small is not null)
            {
                using var computed = TorchSmallModel.Load(checkpoint);
                return new SmallModelParity().Run(computed.Run, target, 0, ct);
            }
            using var reference = CheckpointModel.Load(checkpoint);
            return new ParityCheck { Prompts = p.GreedyPrompts, GreedyTokens = p.GreedyTokens }.Run(reference, target, checkpoint, 0, ct);
        }, ct);
        job.Log($"Parity {(parity.Passed ? "passed" : "failed")}: largest logit difference {parity.MaxAbsDifference:0.0e0}, argmax agreement {parity.ArgmaxAgreement:P2}{(small is null ? $", greedy continuations equal {parity.GreedyEqual} of {parity.GreedyPrompts}" : "")}.");
        if (!parity.Passed)
        {
            await job.RefuseAsync(kept => StoreParityAsync(kept, version.Id, parity, ct),
                $"The exported graph does not compute what the checkpoint computes, so it was not published: {(parity.FirstBadLayer is { } bad ? $"it first differs after {bad}. " : "")}{string.Join(" ", parity.Failures.Take(3))}", ct);
            return;
        }
        var stored = await artifacts.PutFolderAsync(target, ct);
        await job.CompleteAsync(async kept =>
        {
            await StoreParityAsync(kept, version.Id, parity, ct);
            await kept.PutVariantAsync(new NewVariant(version.Id, Variant, "fp32", stored, null, Json.Write(new { export = exported, parity }), job.JobId), job.Actor, job.Time.GetUtcNow(), ct);
            return new() { ["version"] = p.Version, ["variant"] = Variant };
        }, ct);
        await hints.ChangedAsync(Areas.Model, version.ModelId);
    }

    private static async Task StoreParityAsync(LlmOpsDb db, Guid versionId, ParityReport parity, CancellationToken ct)
    {
        var version = await db.ModelVersions.SingleAsync(v => v.Id == versionId, ct);
        version.ParityJson = Json.Write(parity);
        version.ParityPassed = parity.Passed;
    }
}
