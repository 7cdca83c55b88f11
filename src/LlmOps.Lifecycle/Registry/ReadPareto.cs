using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Quantization.Search;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <summary>A measured variant among the others of its version, or of its model.</summary>
/// <param name="Metrics">Everything its newest finished evaluation with the built-in tasks found.</param>
/// <param name="DominatedBy">Names of the variants that are no worse in quality, speed and size, and better in one by more than the intervals leave open; empty on the front.</param>
/// <param name="Words">Why it is on the front, or what beats it.</param>
public sealed record ParetoPoint(string Name, int Number, string Variant, string Precision, long SizeBytes, Guid RunId, string Suite, DateTimeOffset MeasuredAt, IReadOnlyDictionary<string, MeasuredMetric> Metrics,
    IReadOnlyList<string> DominatedBy, string Words)
{
    public bool OnFront => DominatedBy.Count == 0;
}

/// <param name="Missing">What it lacks to be compared.</param>
public sealed record UnmeasuredVariant(string Name, int Number, string Variant, long SizeBytes, string Missing);

/// <param name="Quality">The metric that stands for quality.</param>
/// <param name="Speed">The metric that stands for speed.</param>
/// <param name="QualityChoices">Quality metrics that at least one variant has.</param>
/// <param name="SpeedChoices">Speed metrics that at least one variant has.</param>
/// <param name="Points">The front first, the best quality first.</param>
public sealed record ParetoView(EvaluationTask? Quality, EvaluationTask? Speed, IReadOnlyList<EvaluationTask> QualityChoices, IReadOnlyList<EvaluationTask> SpeedChoices, IReadOnlyList<ParetoPoint> Points,
    IReadOnlyList<UnmeasuredVariant> Unmeasured);

/// <summary>Quality × speed × size of all measured variants, from the newest finished evaluation of each.</summary>
public sealed class ReadPareto(IDbContextFactory<LlmOpsDb> dbs)
{
    private const int MostVersions = 50;
    private static readonly EvaluationTask[] QualityTasks = [EvaluationTasks.Definitions, EvaluationTasks.Corpus, EvaluationTasks.Preference, EvaluationTasks.ExactMatch];
    private static readonly EvaluationTask[] SpeedTasks = [EvaluationTasks.Latency, EvaluationTasks.FirstToken, EvaluationTasks.Decode, EvaluationTasks.Prefill, EvaluationTasks.Load];

    private sealed record Candidate(string Name, int Number, string Variant, string Precision, long SizeBytes, EvaluationRun? Run, IReadOnlyDictionary<string, MeasuredMetric> Metrics)
    {
        public bool Has(EvaluationTask? task) => task is not null && Metrics.ContainsKey(task.FullName);
        public double Of(EvaluationTask task) => Metrics[task.FullName].Value;
    }

    /// <summary>The variants of one version.</summary>
    /// <param name="key">The version.</param>
    /// <param name="quality">Full name of a quality metric; the first that was measured when null.</param>
    /// <param name="speed">The same of a speed metric.</param>
    /// <param name="ct">Stops.</param>
    public async Task<ParetoView> OfVersionAsync(VersionKey key, string? quality = null, string? speed = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await db.ModelVersions.GetAsync(key, ct);
        return View(await CandidatesAsync(db, [(version.Id, version.Number)], oneVersion: true, ct), quality, speed);
    }

    /// <summary>The variants of a model's newest versions.</summary>
    public async Task<ParetoView> OfModelAsync(string model, string? quality = null, string? speed = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (!await db.Models.AnyAsync(m => m.Name == model, ct))
            throw LlmOpsException.NotFound("Model", model);
        var versions = await db.ModelVersions.AsNoTracking().Where(v => v.Model!.Name == model).OrderByDescending(v => v.Number).Take(MostVersions).Select(v => new { v.Id, v.Number }).ToListAsync(ct);
        return View(await CandidatesAsync(db, [.. versions.Select(v => (v.Id, v.Number))], oneVersion: false, ct), quality, speed);
    }

    private static async Task<List<Candidate>> CandidatesAsync(LlmOpsDb db, IReadOnlyList<(Guid Id, int Number)> versions, bool oneVersion, CancellationToken ct)
    {
        var ids = versions.Select(v => v.Id).ToList();
        var variants = await db.ModelVariants.AsNoTracking().Where(v => ids.Contains(v.VersionId)).OrderByDescending(v => v.SizeBytes).ThenBy(v => v.Name).ToListAsync(ct);
        var runs = (await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Include(r => r.Suite).Where(r => ids.Contains(r.VersionId) && r.State == JobState.Succeeded && r.TasksJson == null).ToListAsync(ct))
            .GroupBy(r => (r.VersionId, r.VariantName)).ToDictionary(g => g.Key, g => g.MaxBy(r => r.StartedAt)!);
        return [.. from version in versions
                   from v in variants
                   where v.VersionId == version.Id
                   let run = runs.GetValueOrDefault((v.VersionId, v.Name))
                   select new Candidate(oneVersion ? v.Name : $"{version.Number}:{v.Name}", version.Number, v.Name, v.Precision, v.SizeBytes, run,
                       run?.Metrics.ToDictionary(m => m.Name, m => new MeasuredMetric(m.Name, m.Value, m.Low, m.High, m.N, m.Unit, m.HigherIsBetter)) ?? [])];
    }

    private static ParetoView View(List<Candidate> all, string? qualityName, string? speedName)
    {
        EvaluationTask[] qualities = [.. QualityTasks.Where(t => all.Any(c => c.Has(t)))], speeds = [.. SpeedTasks.Where(t => all.Any(c => c.Has(t)))];
        var quality = Chosen(qualityName, qualities, QualityTasks, "quality");
        var speed = Chosen(speedName, speeds, SpeedTasks, "speed");
        var measured = quality is null || speed is null ? [] : all.Where(c => c.Has(quality) && c.Has(speed)).ToList();
        var points = new List<ParetoPoint>();
        if (measured.Count > 0)
        {
            var measures = measured.Select(c => new[] { MeasureOf(c, quality!), MeasureOf(c, speed!), Measure.Exact(c.SizeBytes) }).ToList();
            foreach (var (i, c) in measured.Index())
            {
                Candidate[] beatenBy = [.. measured.Where((_, other) => ParetoFront.Dominates(measures[other], measures[i]))];
                points.Add(new(c.Name, c.Number, c.Variant, c.Precision, c.SizeBytes, c.Run!.Id, c.Run.Suite!.Name, c.Run.StartedAt, c.Metrics, [.. beatenBy.Select(b => b.Name)],
                    beatenBy.Length == 0 ? FrontWords(c, measured, quality!, speed!) : BeatenWords(c, beatenBy, quality!, speed!)));
            }
        }
        var best = quality?.HigherIsBetter == true ? -1 : 1;
        return new(quality, speed, qualities, speeds, [.. points.OrderByDescending(p => p.OnFront).ThenBy(p => best * p.Metrics[quality!.FullName].Value).ThenBy(p => p.SizeBytes)],
            [.. all.Except(measured).Select(c => new UnmeasuredVariant(c.Name, c.Number, c.Variant, c.SizeBytes, c.Run is null ? "never measured" : $"no {Missing(c, quality, speed)} in its newest evaluation"))]);
    }

    private static Measure MeasureOf(Candidate c, EvaluationTask task)
    {
        var m = c.Metrics[task.FullName];
        var estimate = new Estimate(m.Value, m.Low, m.High, m.N);
        return task.HigherIsBetter ? Measure.More(estimate) : Measure.Less(estimate);
    }

    private static EvaluationTask? Chosen(string? name, EvaluationTask[] measured, EvaluationTask[] allowed, string what) => string.IsNullOrEmpty(name) ? measured.FirstOrDefault()
        : allowed.FirstOrDefault(t => t.FullName == name) ?? throw LlmOpsException.Invalid($"'{name}' is no metric of {what}. Metrics: {string.Join(", ", allowed.Select(t => t.FullName))}.");

    private static string Missing(Candidate c, EvaluationTask? quality, EvaluationTask? speed) =>
        string.Join(" and no ", new[] { c.Has(quality) ? null : quality?.FullName ?? "quality", c.Has(speed) ? null : speed?.FullName ?? "speed" }.OfType<string>());

    private static string FrontWords(Candidate c, List<Candidate> measured, EvaluationTask quality, EvaluationTask speed)
    {
        var best = new List<string>();
        if (IsBest(c, measured, x => x.Of(quality), quality.HigherIsBetter)) best.Add("best quality");
        if (IsBest(c, measured, x => x.Of(speed), speed.HigherIsBetter)) best.Add(speed.HigherIsBetter ? "highest speed" : "shortest time");
        if (IsBest(c, measured, x => x.SizeBytes, false)) best.Add("smallest");
        return best.Count > 0 ? $"On the front: {string.Join(", ", best)}." : "On the front: nothing clearly beats it.";
    }

    private static bool IsBest(Candidate c, List<Candidate> measured, Func<Candidate, double> value, bool higher) => measured.All(x => higher ? value(x) <= value(c) : value(x) >= value(c));

    private static string BeatenWords(Candidate c, Candidate[] beatenBy, EvaluationTask quality, EvaluationTask speed)
    {
        // The nearest in quality says most: what is given up for nothing.
        var by = beatenBy.MinBy(b => Math.Abs(b.Of(quality) - c.Of(quality)))!;
        var gains = new List<string>();
        if (by.SizeBytes < c.SizeBytes) gains.Add($"{Share(1 - (double)by.SizeBytes / c.SizeBytes)} smaller");
        if (by.Of(speed) != c.Of(speed)) gains.Add($"{Share(speed.HigherIsBetter ? by.Of(speed) / c.Of(speed) - 1 : 1 - by.Of(speed) / c.Of(speed))} faster{Open(by, c, speed)}");
        if (by.Of(quality) != c.Of(quality)) gains.Add($"better in quality{Open(by, c, quality)}");
        var others = beatenBy.Length - 1;
        return $"Dominated by {by.Name}: {string.Join(", ", gains)}{(gains.Count < 3 ? ", and no worse in the rest" : "")}.{(others == 0 ? "" : others == 1 ? " One other beats it too." : $" {others} others beat it too.")}";
    }

    private static string Open(Candidate a, Candidate b, EvaluationTask task)
    {
        MeasuredMetric x = a.Metrics[task.FullName], y = b.Metrics[task.FullName];
        return x.N > 1 && y.N > 1 && x.Low <= y.High && y.Low <= x.High ? " (intervals overlap)" : "";
    }

    private static string Share(double share) => share.ToString(share < 0.1 ? "0.0 %" : "0 %", System.Globalization.CultureInfo.InvariantCulture);
}
