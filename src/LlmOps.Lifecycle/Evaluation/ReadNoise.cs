using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>How much a metric moved between repeats of the same measurement, on the rows that all of them scored.</summary>
/// <param name="Low">Lower end of the mean's 95 % interval over the repeats.</param>
/// <param name="High">Upper end of the mean's 95 % interval over the repeats.</param>
/// <param name="Sd">Standard deviation between repeats.</param>
/// <param name="Floor">Two single runs of the same model differ by less than this in 95 of 100 cases.</param>
/// <param name="FlippedShare">Share of rows whose value is not the same in all repeats.</param>
public sealed record NoiseMetric(string Name, string Unit, int Rows, double Mean, double Low, double High, double Sd, double Floor, double FlippedShare);

/// <summary>The noise floor of a suite, as the repeats of one form of a model show it.</summary>
/// <param name="SuiteNumber">Version of the suite; null where a stage's parameters are the suite.</param>
/// <param name="Runs">The repeats, in their order.</param>
public sealed record SuiteNoise(string Suite, int? SuiteNumber, string Version, string Variant, IReadOnlyList<Guid> Runs, IReadOnlyList<NoiseMetric> Metrics)
{
    public string Words => $"{Runs.Count} repeats of {Version} {Variant}";

    public NoiseMetric? Find(string metric) => Metrics.FirstOrDefault(m => m.Name == metric);
}

/// <summary>Differences between repeats of a suite, where nothing changed: no difference between models says anything below them.</summary>
public sealed class ReadNoise(IDbContextFactory<LlmOpsDb> dbs, ScoredRows columns)
{
    /// <summary>Each group reads all rows of all its repeats, once.</summary>
    private const int MostGroups = 5;

    /// <summary>Of the repeats that a run is one of; null where it was measured once.</summary>
    public async Task<SuiteNoise?> OfRunAsync(Guid run, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var one = await db.EvaluationRuns.AsNoTracking().SingleOrDefaultAsync(r => r.Id == run, ct) ?? throw LlmOpsException.NotFound("Evaluation run", run);
        return await OfGroupAsync(db, one.JobId, one.VersionId, one.VariantName, ct);
    }

    /// <summary>The newest repeats of each form of a model that a suite measured, newest first.</summary>
    /// <param name="number">Version of the suite; null for all of them.</param>
    public async Task<IReadOnlyList<SuiteNoise>> OfSuiteAsync(string suite, int? number = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        // Who has a second repeat has a first one.
        var repeated = await db.EvaluationRuns.AsNoTracking().Where(r => r.Suite!.Name == suite && r.Repeat == 1 && r.State == JobState.Succeeded && (number == null || db.SuiteVersions.Any(v => v.Id == r.SuiteVersionId && v.Number == number)))
            .OrderByDescending(r => r.StartedAt).ThenByDescending(r => r.Id).Take(MostGroups).Select(r => new { r.JobId, r.VersionId, r.VariantName, r.SuiteVersionId }).ToListAsync(ct);
        var found = new List<SuiteNoise>();
        foreach (var group in repeated.DistinctBy(g => (g.VersionId, g.VariantName, g.SuiteVersionId)))
            if (await OfGroupAsync(db, group.JobId, group.VersionId, group.VariantName, ct) is { } noise)
                found.Add(noise);
        return found;
    }

    /// <summary>What is known about the noise between two runs: the repeats of either, the noisier one for each metric; else the newest repeats of the same version of the suite.</summary>
    public async Task<IReadOnlyList<SuiteNoise>> ForComparisonAsync(Guid a, Guid b, CancellationToken ct = default)
    {
        SuiteNoise?[] own = [await OfRunAsync(a, ct), await OfRunAsync(b, ct)];
        if (own.OfType<SuiteNoise>().ToList() is { Count: > 0 } known)
            return known;
        await using var db = await dbs.CreateDbContextAsync(ct);
        var suite = await db.EvaluationRuns.AsNoTracking().Where(r => r.Id == a).Select(r => new { r.Suite!.Name, Number = db.SuiteVersions.Where(v => v.Id == r.SuiteVersionId).Select(v => (int?)v.Number).FirstOrDefault() }).SingleAsync(ct);
        return [.. (await OfSuiteAsync(suite.Name, suite.Number, ct)).Take(1)];
    }

    private async Task<SuiteNoise?> OfGroupAsync(LlmOpsDb db, Guid job, Guid version, string variant, CancellationToken ct)
    {
        var runs = await db.EvaluationRuns.AsNoTracking().Include(r => r.Suite).Where(r => r.JobId == job && r.VersionId == version && r.VariantName == variant && r.State == JobState.Succeeded).OrderBy(r => r.Repeat).ToListAsync(ct);
        if (runs.Count < 2)
            return null;
        var metrics = new List<NoiseMetric>();
        foreach (var task in RunTasks.Of(runs[0]).Where(CorpusMetrics.CanCompare))
        {
            var read = new List<ScoredColumns>();
            foreach (var run in runs)
                read.Add(await columns.ReadAsync(run, task.RowName, task.CorpusMetric is not null, ct));
            if (await Task.Run(() => Of(task, read), ct) is { } metric)
                metrics.Add(metric);
        }
        var number = await db.SuiteVersions.Where(v => v.Id == runs[0].SuiteVersionId).Select(v => (int?)v.Number).FirstOrDefaultAsync(ct);
        var named = await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == version, ct);
        return metrics.Count == 0 ? null : new(runs[0].Suite!.Name, number, named.Key().ToString(), variant, [.. runs.Select(r => r.Id)], metrics);
    }

    /// <summary>Null when no row is scored in all repeats. Pure.</summary>
    private static NoiseMetric? Of(EvaluationTask task, IReadOnlyList<ScoredColumns> repeats)
    {
        var shared = ScoredColumns.Join(repeats).Where(row => row.Rows.Index().All(r => r.Item >= 0 && !repeats[r.Index].Missing[r.Item])).Select(row => row.Rows).ToList();
        if (shared.Count == 0)
            return null;
        var flipped = shared.Count(rows => rows.Index().Any(r => repeats[r.Index].Score(r.Item) != repeats[0].Score(rows[0])));
        var floor = NoiseFloor.OfValues([.. repeats.Select((columns, i) => ComparePairs.Value(task, columns, [.. shared.Select(rows => rows[i])]))], flipped / (double)shared.Count);
        return new(task.FullName, task.Unit, shared.Count, floor.Mean, floor.Mean - floor.HalfWidth, floor.Mean + floor.HalfWidth, floor.Sd, floor.DifferenceFloor, floor.FlippedShare);
    }
}

/// <summary>A difference that is smaller than what repeats of one model differ by.</summary>
public sealed record BelowNoise(string Metric, string Unit, double Effect, double Floor, string Basis)
{
    public static IReadOnlyList<BelowNoise> Of(IEnumerable<MetricComparison> metrics, IReadOnlyList<SuiteNoise> noise) =>
        [.. from m in metrics
            let known = noise.Select(n => (Noise: n, Metric: n.Find(m.Task.FullName))).Where(n => n.Metric is not null).OrderByDescending(n => n.Metric!.Floor).FirstOrDefault()
            where known.Metric is not null && Math.Abs(m.Difference.Value) < known.Metric.Floor
            select new BelowNoise(m.Task.FullName, m.Task.Unit, m.Difference.Value, known.Metric.Floor, known.Noise.Words)];
}
