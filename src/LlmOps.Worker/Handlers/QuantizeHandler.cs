using LlmOps.Engines.Quantization;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Worker.Handlers;

public sealed class QuantizeHandler(ArtifactStore artifacts, Hints hints) : IJobHandler
{
    public string Kind => "quantize";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<QuantizeParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var (version, _, source) = await db.OpenVariantAsync(artifacts, p.Version, p.Variant, ct);
        var made = new List<NewVariant>();
        foreach (var method in p.Methods)
        {
            QuantizationPass pass = method == "int8" ? new DynamicInt8(p.PerChannel) : new BlockwiseRtn(4, p.BlockSize);
            var target = Path.Combine(job.WorkFolder, method);
            var report = await Task.Run(() => pass.Run(source, target, null, ct), ct);
            var stored = await artifacts.PutFolderAsync(target, ct);
            job.Log($"{method}: {report.Quantized} weights quantized, {report.Skipped} left; {report.SourceBytes:N0} → {report.TargetBytes:N0} bytes; logits differ by {report.RelativeL2:P2} (relative L2), argmax agrees in {report.ArgmaxAgreement:P1}.");
            foreach (var note in report.Notes)
                job.Log(note);
            made.Add(new NewVariant(version.Id, method, method, stored, p.Variant, Json.Write(new { pass, report }), job.JobId));
            job.Report((double)made.Count / p.Methods.Count, method);
        }
        await job.CompleteAsync(async kept =>
        {
            foreach (var variant in made)
                await kept.PutVariantAsync(variant, job.Actor, job.Time.GetUtcNow(), ct);
            return new() { ["version"] = p.Version, ["variants"] = string.Join(',', p.Methods) };
        }, ct);
        await hints.ChangedAsync(Areas.Model, version.ModelId);
    }
}
