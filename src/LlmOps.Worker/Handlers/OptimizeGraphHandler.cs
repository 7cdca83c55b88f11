using LlmOps.Engines;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
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

/// <summary>Where both graphs spend their time on one prompt, each run as it is stored: nothing is fused at load.</summary>
/// <param name="Before">The source.</param>
/// <param name="After">The optimised graph.</param>
/// <param name="PromptTokens">Random tokens read in one run, nothing before them.</param>
/// <param name="Threads">One for each processor.</param>
public sealed record GraphProfiles(OpProfileReport Before, OpProfileReport After, int PromptTokens, int Threads);

public sealed class OptimizeGraphHandler(ArtifactStore artifacts, Hints hints) : IJobHandler
{
    private const int ProfiledTokens = 32, HottestNodes = 10;

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
        var profile = await Task.Run(() => Profile(job, source, target, ct), ct);
        var stored = await artifacts.PutFolderAsync(target, ct);
        var name = $"{p.Variant}-optimized";
        await job.CompleteAsync(async kept =>
        {
            await kept.PutVariantAsync(new NewVariant(version.Id, name, variant.Precision, stored, p.Variant, Json.Write(new { optimization = report, start_up = start, profile }), job.JobId), job.Actor, job.Time.GetUtcNow(), ct);
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

    // A graph that takes no random prompt is optimised all the same: a profile is information, not a condition.
    private static GraphProfiles? Profile(JobContext job, string source, string target, CancellationToken ct)
    {
        try
        {
            var prompt = new RandomInputs(FreeSize: ProfiledTokens).Make(source);
            var profile = new OpProfile(Settings: new SessionSettings(OptimizationLevel: "None"));
            OpProfileReport Hottest(string folder)
            {
                var all = profile.Run(folder, prompt, ct);
                return all with { ByNode = [.. all.ByNode.Take(HottestNodes)] };
            }
            var made = new GraphProfiles(Hottest(source), Hottest(target), ProfiledTokens, Environment.ProcessorCount);
            job.Log($"A prompt of {ProfiledTokens} tokens: {made.Before.RunMs:0.00} ms as exported, {made.After.RunMs:0.00} ms optimised (mean of {profile.Runs} profiled runs); most time in {made.After.ByOp[0].OpType} ({made.After.ByOp[0].Share:P0}).");
            return made;
        }
        catch (Exception e) when (e is UnsupportedModelException or InvalidModelException)
        {
            job.Log($"Not profiled: {e.Message}");
            return null;
        }
    }
}
