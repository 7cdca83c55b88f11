using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

public sealed record VariantRow(Guid Id, string Name, string Precision, string Digest, long SizeBytes, string? SourceVariant, string ReportJson, DateTimeOffset CreatedAt);

public sealed record VersionDetail(Guid Id, Guid ModelId, string Model, int Number, string Stage, string Description, string Digest, long SizeBytes, long Parameters, string TrainedOn, string Licence,
    Guid? ParentId, Guid? RunId, Guid? JobId, string ReportJson, string? ParityJson, bool? ParityPassed, string CreatedBy, DateTimeOffset CreatedAt)
{
    public IReadOnlyList<VariantRow> Variants { get; init; } = [];
    public IReadOnlyList<AliasPointer> Aliases { get; init; } = [];
    public int Newest { get; init; }
    /// <summary>The address that a client registered; null for what this product made.</summary>
    public string? Source { get; init; }
    public string? RunLink { get; init; }
    public IReadOnlyList<Tracking.KeyValue> Tags { get; init; } = [];
    public bool IsRegistered => Stage == ModelVersion.Registered;
    public VersionKey Key => new(Model, Number);
    public IReadOnlyList<string> Datasets => TrainedOn.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}

/// <summary>What was measured on one form of a version, and what the gate said about it.</summary>
/// <param name="Variant">Name of the variant, or "checkpoint".</param>
/// <param name="RunId">The newest finished measurement with the built-in tasks; null when there is none.</param>
/// <param name="Differences">This form minus the champion, paired on the same rows; empty without a champion.</param>
public sealed record VariantMeasurement(string Variant, long? SizeBytes, Guid? RunId, string? Suite, DateTimeOffset? MeasuredAt, IReadOnlyDictionary<string, MeasuredMetric> Metrics,
    Verdict? Verdict, bool Chosen, IReadOnlyList<RuleResult> Reasons, IReadOnlyDictionary<string, MeasuredMetric> Differences)
{
    /// <summary>The newest finished run of each suite. Two suites may use one name for different things, so their numbers stay apart.</summary>
    public IReadOnlyList<SuiteMeasurement> Suites { get; init; } = [];
}

/// <param name="Metrics">In the order of the suite's tasks.</param>
public sealed record SuiteMeasurement(string Suite, Guid RunId, DateTimeOffset MeasuredAt, IReadOnlyList<MeasuredMetric> Metrics)
{
    /// <summary>What has to be known about the judges behind these numbers, in words; empty where no judge had a part.</summary>
    public IReadOnlyList<string> Judges { get; init; } = [];
}

/// <param name="Champion">What the alias "production" holds, when that is another form than the ones shown.</param>
public sealed record Measurements(IReadOnlyList<VariantMeasurement> Variants, ChampionMeasurement? Champion)
{
    /// <summary>Metrics that at least one form has, in the order of the task list.</summary>
    public IReadOnlyList<EvaluationTask> Tasks => [.. EvaluationTasks.All.Where(t => Variants.Any(v => v.Metrics.ContainsKey(t.FullName)))];
}

public sealed record ChampionMeasurement(VersionKey Version, string? Variant, Guid? RunId, IReadOnlyDictionary<string, MeasuredMetric> Metrics);

/// <summary>One version and how good it is. Everything is read from rows; differences are worked out on the rows both sides have.</summary>
public sealed class ReadVersion(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts, CompareRuns compare)
{
    public const string ChampionAlias = "production";
    private const int Resamples = 2000;
    private const int MostKept = 1000;
    private readonly System.Collections.Concurrent.ConcurrentDictionary<(Guid Champion, Guid Run), IReadOnlyDictionary<string, MeasuredMetric>> known = new();

    public async Task<VersionDetail> GetAsync(VersionKey key, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var found = await db.ModelVersions.AsNoTracking().Where(v => v.Model!.Name == key.Name && v.Number == key.Number)
            .Select(v => new VersionDetail(v.Id, v.ModelId, v.Model!.Name, v.Number, v.Stage, v.Description, v.ArtifactDigest, v.SizeBytes, v.Parameters, v.TrainedOn, v.Licence, v.ParentVersionId, v.RunId,
                v.ProducedByJobId, v.ReportJson, v.ParityJson, v.ParityPassed, v.CreatedBy, v.CreatedAt) { Source = v.Source, RunLink = v.RunLink })
            .SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Model version", key);
        var variants = await db.ModelVariants.AsNoTracking().Where(v => v.VersionId == found.Id).OrderByDescending(v => v.SizeBytes).ThenBy(v => v.Name)
            .Select(v => new VariantRow(v.Id, v.Name, v.Precision, v.ArtifactDigest, v.SizeBytes, v.SourceVariant, v.ReportJson, v.CreatedAt)).ToListAsync(ct);
        var aliases = (await ReadModels.AliasesAsync(db, [found.ModelId], ct))[found.ModelId];
        return found with
        {
            Variants = variants, Aliases = [.. aliases.Where(a => a.VersionId == found.Id).Select(a => a.Pointer)],
            Newest = await db.ModelVersions.Where(v => v.ModelId == found.ModelId).MaxAsync(v => v.Number, ct),
            Tags = await db.VersionTags.AsNoTracking().Where(t => t.VersionId == found.Id).OrderBy(t => t.Key).Select(t => new Tracking.KeyValue(t.Key, t.Value)).ToListAsync(ct),
        };
    }

    public Task<Measurements> MeasurementsAsync(VersionDetail version, CancellationToken ct = default) => MeasurementsAsync(version, true, ct);

    /// <param name="differences">False where nobody looks at the differences to the champion: they are resampled.</param>
    internal async Task<Measurements> MeasurementsAsync(VersionDetail version, bool differences, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var newest = await NewestRunsAsync(db, version.Id, ct);
        var gates = (await db.GateDecisions.AsNoTracking().Where(g => g.VersionId == version.Id).OrderByDescending(g => g.At).ToListAsync(ct)).GroupBy(g => g.VariantName).ToDictionary(g => g.Key, g => g.First());
        var champion = await ChampionAsync(db, version.ModelId, ct);
        var names = (newest.ContainsKey("checkpoint") ? ["checkpoint"] : Array.Empty<string>()).Concat(version.Variants.Select(v => v.Name));
        var rows = new List<VariantMeasurement>();
        foreach (var name in names)
        {
            var runs = newest.GetValueOrDefault(name) ?? [];
            var run = runs.FirstOrDefault(r => r.TasksJson is null);
            var gate = gates.GetValueOrDefault(name);
            var isChampion = champion is not null && champion.Version == version.Key && champion.Variant == name;
            var toChampion = differences && champion?.RunId is { } other && run is not null && !isChampion && other != run.Id
                ? await DifferencesAsync(other, run.Id, ct) : new Dictionary<string, MeasuredMetric>();
            rows.Add(new(name, version.Variants.FirstOrDefault(v => v.Name == name)?.SizeBytes, run?.Id, run?.Suite?.Name, run?.StartedAt, MetricsOf(run),
                gate?.Verdict, gate?.Chosen ?? false, gate is null ? [] : Json.Read<List<RuleResult>>(gate.ReasonsJson), toChampion)
            {
                Suites = await OfSuitesAsync(db, runs.Where(r => r.TasksJson is not null).DistinctBy(r => r.SuiteId).OrderBy(r => r.Suite!.Name, StringComparer.Ordinal), ct),
            });
        }
        return new(rows, champion);
    }

    /// <summary>Finished runs never change, so neither does their difference: resampled once, then kept.</summary>
    private async Task<IReadOnlyDictionary<string, MeasuredMetric>> DifferencesAsync(Guid champion, Guid run, CancellationToken ct)
    {
        if (known.TryGetValue((champion, run), out var kept))
            return kept;
        var worked = (await compare.CompareAsync(champion, run, Resamples, ct)).Differences.ToDictionary(d => d.Name);
        if (known.Count >= MostKept)
            known.Clear();
        return known[(champion, run)] = worked;
    }

    /// <summary>The checkpoint's files first, then each variant's.</summary>
    public async Task<IReadOnlyList<(string Name, string Digest, ArtifactManifest Manifest)>> FilesAsync(VersionDetail version, CancellationToken ct = default)
    {
        var all = new List<(string, string, ArtifactManifest)> { ("checkpoint", version.Digest, await artifacts.ManifestAsync(version.Digest, ct)) };
        foreach (var variant in version.Variants)
            all.Add((variant.Name, variant.Digest, await artifacts.ManifestAsync(variant.Digest, ct)));
        return all;
    }

    private static async Task<ChampionMeasurement?> ChampionAsync(LlmOpsDb db, Guid modelId, CancellationToken ct)
    {
        var holder = await (from a in db.Aliases.AsNoTracking()
                            join v in db.ModelVersions.AsNoTracking() on a.VersionId equals v.Id
                            where a.ModelId == modelId && a.Name == ChampionAlias
                            select new { a.VersionId, a.VariantName, v.Number, v.Model!.Name }).SingleOrDefaultAsync(ct);
        if (holder is null)
            return null;
        var run = (await NewestRunsAsync(db, holder.VersionId, ct)).GetValueOrDefault(holder.VariantName ?? "checkpoint")?.FirstOrDefault(r => r.TasksJson is null);
        return new(new VersionKey(holder.Name, holder.Number), holder.VariantName, run?.Id, MetricsOf(run));
    }

    /// <summary>Finished runs of each form, newest first.</summary>
    private static async Task<Dictionary<string, List<EvaluationRun>>> NewestRunsAsync(LlmOpsDb db, Guid versionId, CancellationToken ct)
    {
        var runs = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Include(r => r.Suite).Where(r => r.VersionId == versionId && r.State == JobState.Succeeded)
            .OrderByDescending(r => r.StartedAt).ThenByDescending(r => r.Id).ToListAsync(ct);
        return runs.GroupBy(r => r.VariantName).ToDictionary(g => g.Key, g => g.ToList());
    }

    private static async Task<IReadOnlyList<SuiteMeasurement>> OfSuitesAsync(LlmOpsDb db, IEnumerable<EvaluationRun> runs, CancellationToken ct)
    {
        var suites = new List<SuiteMeasurement>();
        foreach (var run in runs)
        {
            var found = MetricsOf(run);
            var judges = JudgedTasks.Parse(run.DetailJson).Count == 0 ? [] : await ReadJudgements.OfRunAsync(db, run.Id, ct);
            suites.Add(new(run.Suite!.Name, run.Id, run.StartedAt, [.. RunTasks.Of(run).Select(t => found.GetValueOrDefault(t.FullName)).OfType<MeasuredMetric>()]) { Judges = [.. judges.Select(j => $"{j.Task}: {j.Words}")] });
        }
        return suites;
    }

    private static Dictionary<string, MeasuredMetric> MetricsOf(EvaluationRun? run) =>
        run?.Metrics.ToDictionary(m => m.Name, m => new MeasuredMetric(m.Name, m.Value, m.Low, m.High, m.N, m.Unit, m.HigherIsBetter)) ?? [];
}
