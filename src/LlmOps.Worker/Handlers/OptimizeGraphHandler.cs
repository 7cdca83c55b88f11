using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Optimization;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Worker.Handlers;

/// <summary>Session start-up in fresh processes: optimising at load against loading what was optimised before.</summary>
public sealed record StartUpComparison(Estimate OnlineMs, Estimate OfflineMs, double Ratio, int Repeats);

public sealed class OptimizeGraphHandler(ArtifactStore artifacts, Hints hints) : IJobHandler
{
    public string Kind => "optimize-graph";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<OptimizeGraphParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var (version, variant, source) = await db.OpenVariantAsync(artifacts, p.Version, p.Variant, ct);
        var target = Path.Combine(job.WorkFolder, "optimized");
        var report = await Task.Run(() => new GraphOptimization(p.Level).Run(source, target, null, ct), ct);
        job.Log($"Level {p.Level}: {report.NodesBefore} nodes became {report.NodesAfter}.");
        var start = await Task.Run(() => MeasureStart(job, source, target, p, ct), ct);
        job.Log($"Session start-up: {start.OnlineMs.Value:0} ms online, {start.OfflineMs.Value:0} ms offline (ratio {start.Ratio:0.00}, {start.Repeats} fresh processes each).");
        var stored = await artifacts.PutFolderAsync(target, ct);
        var name = $"{p.Variant}-optimized";
        await job.CompleteAsync(async kept =>
        {
            await kept.PutVariantAsync(new NewVariant(version.Id, name, variant.Precision, stored, p.Variant, Json.Write(new { optimization = report, start_up = start }), job.JobId), job.Actor, job.Time.GetUtcNow(), ct);
            return new() { ["version"] = p.Version, ["variant"] = name };
        }, ct);
        await hints.ChangedAsync(Areas.Model, version.ModelId);
    }

    /// <summary>Alternating, so that a busy moment of the machine hits both.</summary>
    private static StartUpComparison MeasureStart(JobContext job, string source, string target, OptimizeGraphParameters p, CancellationToken ct)
    {
        var online = new List<double>();
        var offline = new List<double>();
        for (var i = 0; i < p.Repeats; i++)
        {
            online.AddRange(Probe.Run(new ProbeRequest(source, 1, 8, 1, p.Level), ct).LoadMs);
            offline.AddRange(Probe.Run(new ProbeRequest(target, 1, 8, 1, "Disabled"), ct).LoadMs);
            job.Report((i + 1.0) / p.Repeats, $"start-up {i + 1} of {p.Repeats}");
        }
        var before = Bootstrap.Median([.. online]);
        var after = Bootstrap.Median([.. offline]);
        return new(before, after, after.Value / before.Value, p.Repeats);
    }
}
