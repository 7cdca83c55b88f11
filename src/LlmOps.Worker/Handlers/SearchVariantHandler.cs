using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.Quantization.Search;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Worker.Handlers;

/// <summary>What a search tried, as the best variant's report keeps it.</summary>
public sealed record SearchSummary(string Goal, string? Best, string Stopped, double Seconds, IReadOnlyList<SearchedCandidate> Candidates);

/// <summary>One candidate. Speeds have one value for each fresh process; the source has no verdict, and what was not made has no measures.</summary>
public sealed record SearchedCandidate(string Name, GoalVerdict? Verdict, bool OnFront, string Note, long? VariantBytes, Estimate? Kld, Estimate? Delta, double[]? DecodeTokensPerSecond, double[]? PrefillTokensPerSecond);

/// <summary>Candidates are kept in the job's folder under a hash of what made them: a job that was killed measures only what is missing.</summary>
public sealed class SearchVariantHandler(ArtifactStore artifacts, DatasetFiles files, Hints hints) : IJobHandler
{
    public string Kind => "search-variant";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var p = job.Spec<StageSpec>().Parameters<SearchVariantParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var (version, variant, source) = await db.OpenVariantAsync(artifacts, p.Version, p.Variant, ct);
        var texts = await CalibrationTexts.LoadAsync(db, files, p.Corpus, source, p.CalibrationRows, p.ComparisonRows, ct);
        var search = new VariantSearch
        {
            Calibration = texts.Tokens,
            Goal = Goal(p),
            MaxCandidates = p.MaxCandidates,
            MaxTime = TimeSpan.FromMinutes(p.MaxMinutes),
            Speed = p.ProbeRepeats == 0 ? null : new ProbeRequest(source, p.ProbeRepeats),
        };
        var progress = new Progress<double>(done => job.Report(0.95 * done, "trying candidates"));
        var report = await Task.Run(() => search.Run(source, Directory.CreateDirectory(Path.Combine(job.WorkFolder, "search")).FullName, texts.HeldOut, progress, ct), ct);
        foreach (var candidate in report.Candidates)
            job.Log(candidate.Comparison is { } comparison ? $"{QuantizeHandler.Words(candidate.Name, comparison)} {comparison.VariantBytes:N0} bytes; goal {candidate.Verdict?.ToString().ToLowerInvariant() ?? "not asked"}{(candidate.OnFront ? ", on the Pareto front" : "")}." : $"{candidate.Name}: {candidate.Note}");
        job.Log($"Goal: {report.Goal}. Best: {report.Best ?? "none"}. {report.Stopped}");
        if (report.Best is null)
        {
            await job.RefuseAsync(_ => Task.CompletedTask, $"No candidate meets the goal ({report.Goal}). {report.Stopped} The log has what each one measured.", ct);
            return;
        }
        var kept = report.Candidates.Where(c => c is { Pass: not null, Folder: not null } && (c.Name == report.Best || p.Keep == "all" || p.Keep == "front" && c.OnFront)).ToList();
        var made = new List<NewVariant>();
        foreach (var candidate in kept)
        {
            var stored = await artifacts.PutFolderAsync(candidate.Folder!, ct);
            made.Add(new NewVariant(version.Id, Slug(candidate.Name), Precision(candidate.Pass!), stored, variant.Name,
                Json.Write(new { pass = candidate.Pass, report = candidate.Quantization, comparison = candidate.Comparison, speed = candidate.Speed, search = candidate.Name == report.Best ? Summary(report) : null }), job.JobId));
        }
        await job.CompleteAsync(async target =>
        {
            foreach (var one in made)
                await target.PutVariantAsync(one, job.Actor, job.Time.GetUtcNow(), ct);
            return new() { ["version"] = p.Version, ["variant"] = Slug(report.Best), ["variants"] = string.Join(',', made.Select(m => m.Name)) };
        }, ct);
        await hints.ChangedAsync(Areas.Model, version.ModelId);
    }

    private static SearchGoal Goal(SearchVariantParameters p)
    {
        var objective = p.Objective switch
        {
            "smallest" => SearchObjective.Smallest,
            "fastest-decode" => SearchObjective.FastestDecode,
            "fastest-prefill" => SearchObjective.FastestPrefill,
            _ => SearchObjective.Closest,
        };
        return new(objective, p.MaxIncreasePercent > 0 ? p.MaxIncreasePercent / 100 : null, p.MinSameTopPercent > 0 ? p.MinSameTopPercent / 100 : null,
            MaxBytes: p.MaxMegabytes > 0 ? (long)(p.MaxMegabytes * 1e6) : null);
    }

    private static string Precision(QuantizationPass pass) => pass switch
    {
        BlockwiseRtn rtn => $"int{rtn.Bits}",
        CalibratedBlockwise calibrated => $"int{calibrated.Rounding.Bits}",
        HalfPrecision half => half.BFloat16 ? "bf16" : "fp16",
        _ => "int8",
    };

    // A candidate's name is for people, "AWQ 4-bit block 32, head 8"; a variant's stands in addresses.
    private static string Slug(string name) => string.Join('-', name.ToLowerInvariant().Split([' ', ',', '/', '.'], StringSplitOptions.RemoveEmptyEntries));

    private static SearchSummary Summary(SearchReport report) => new(report.Goal, report.Best, report.Stopped, report.Seconds,
        [.. report.Candidates.Select(c => new SearchedCandidate(c.Name, c.Verdict, c.OnFront, c.Note, c.Comparison?.VariantBytes, c.Comparison?.MeanKld, c.Comparison?.DeltaBitsPerByte, c.Speed?.DecodeTokensPerSecond, c.Speed?.PrefillTokensPerSecond))]);
}
