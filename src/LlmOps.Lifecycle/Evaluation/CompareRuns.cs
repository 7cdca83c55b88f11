using System.Collections.Concurrent;
using LlmOps.Engines.Evaluation.Statistics;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>Runs on the rows that both scored, always paired.</summary>
public sealed class CompareRuns(IDbContextFactory<LlmOpsDb> dbs, ScoredRows columns)
{
    public const int MostRuns = 6;
    private const int MostKept = 256;
    private readonly ConcurrentDictionary<(Guid A, DateTimeOffset? EndedA, Guid B, DateTimeOffset? EndedB, int Resamples), Comparison> kept = new();

    /// <summary>B against A.</summary>
    public async Task<Comparison> CompareAsync(Guid a, Guid b, int resamples = 10_000, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await CompareAsync(await GetAsync(db, a, ct), await GetAsync(db, b, ct), resamples, ct);
    }

    /// <summary>Each of the others against the first. Holm's adjustment is over everything that is shown.</summary>
    public async Task<IReadOnlyList<Comparison>> CompareAllAsync(IReadOnlyList<Guid> runs, CancellationToken ct = default)
    {
        EnsureRuns(runs);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var first = await GetAsync(db, runs[0], ct);
        var comparisons = new List<Comparison>();
        foreach (var run in runs.Skip(1))
            comparisons.Add(await CompareAsync(first, await GetAsync(db, run, ct), 10_000, ct));
        return comparisons.Count == 1 ? comparisons : Adjusted(comparisons);
    }

    /// <summary>
    /// The rows of a task in all of the runs. Filter: "improved" or "regressed" (any run against the first), "disagree" (any two differ),
    /// "missing" (not scored in one of them), "paired" (scored in all); anything else is all.
    /// </summary>
    public async Task<Window<RowAcrossRuns>> RowsAsync(IReadOnlyList<Guid> runs, string task, string? filter, int skip, int take, CancellationToken ct = default)
    {
        EnsureRuns(runs);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var found = new List<EvaluationRun>();
        foreach (var id in runs)
            found.Add(await GetAsync(db, id, ct));
        var described = found.SelectMany(RunTasks.Of).FirstOrDefault(t => t.RowName == task)
            ?? throw LlmOpsException.Invalid($"None of the runs measured '{task}'. Measured: {string.Join(", ", found.SelectMany(RunTasks.Of).Select(t => t.RowName).Distinct().Order(StringComparer.Ordinal))}.");
        var read = new List<ScoredColumns>();
        foreach (var run in found)
            read.Add(await columns.ReadAsync(run, task, described.CorpusMetric is not null, ct));
        var keys = ScoredColumns.Join(read).Where(row => RowFilters.Holds(filter, described, read, row.Rows)).Select(row => row.Key).ToList();
        var page = keys.Skip(skip).Take(Math.Clamp(take, 1, Window<int>.Largest)).ToList();
        return new(await TextsAsync(db, runs, task, described, page, ct), keys.Count);
    }

    /// <summary>Rows that both runs scored; the filter is "improved" or "regressed" (B against A), anything else is all.</summary>
    public async Task<Window<PairedRow>> PairsAsync(Guid a, Guid b, string task, string filter, int skip, int take, CancellationToken ct = default)
    {
        var page = await RowsAsync([a, b], task, filter is "improved" or "regressed" ? filter : RowFilters.Paired, skip, take, ct);
        return new([.. page.Rows.Select(r => new PairedRow(task, r.RowKey, r.Runs[0]!, r.Runs[1]!))], page.Total);
    }

    public async Task<IReadOnlyList<PairedRow>> RowsAsync(Guid a, Guid b, string task, string filter, int skip, int take, CancellationToken ct = default) =>
        (await PairsAsync(a, b, task, filter, skip, take, ct)).Rows;

    private async Task<Comparison> CompareAsync(EvaluationRun a, EvaluationRun b, int resamples, CancellationToken ct)
    {
        var key = (a.Id, a.EndedAt, b.Id, b.EndedAt, resamples);
        var finished = a.State == JobState.Succeeded && b.State == JobState.Succeeded;
        if (finished && kept.TryGetValue(key, out var known))
            return known;
        var (metrics, unpaired, incomparable) = (new List<MetricComparison>(), new List<string>(), new Dictionary<string, string>());
        var (factsA, factsB) = (RunFacts.Parse(a.DetailJson), RunFacts.Parse(b.DetailJson));
        var measuredByB = RunTasks.Of(b).Select(t => t.RowName).ToHashSet(StringComparer.Ordinal);
        foreach (var task in RunTasks.Of(a).Where(t => measuredByB.Contains(t.RowName) && CorpusMetrics.CanCompare(t)))
        {
            var name = task.RowName;
            if (RunFacts.Incomparable(task, factsA, factsB) is { } why)
            {
                incomparable[task.FullName] = why;
                continue;
            }
            var details = task.CorpusMetric is not null;
            var both = await Task.WhenAll(columns.ReadAsync(a, name, details, ct), columns.ReadAsync(b, name, details, ct));
            if (both[0].Count == 0 || both[1].Count == 0)
                continue;
            if (await Task.Run(() => ComparePairs.Compare(name, task, both[0], both[1], resamples), ct) is { } compared)
                metrics.Add(compared);
            else
                unpaired.Add(task.FullName);
        }
        var comparison = Adjusted([new(a, b, metrics, unpaired) { Incomparable = incomparable }])[0];
        if (finished)
        {
            if (kept.Count >= MostKept)
                kept.Clear();
            kept[key] = comparison;
        }
        return comparison;
    }

    private static List<Comparison> Adjusted(IReadOnlyList<Comparison> comparisons)
    {
        var adjusted = Holm.Adjust([.. comparisons.SelectMany(c => c.Metrics.Select(m => m.PValue))]);
        var next = 0;
        return [.. comparisons.Select(c => c with { Metrics = [.. c.Metrics.Select(m => m with { AdjustedPValue = adjusted[next++] })] })];
    }

    private static async Task<IReadOnlyList<RowAcrossRuns>> TextsAsync(LlmOpsDb db, IReadOnlyList<Guid> runs, string task, EvaluationTask described, List<string> keys, CancellationToken ct)
    {
        // A suite stores the texts of an item once, with its task's first metric.
        var rows = await db.RowScores.AsNoTracking().Where(r => runs.Contains(r.EvaluationRunId) && keys.Contains(r.RowKey) && r.Task == task).ToListAsync(ct);
        if (described.OfSuite && rows.TrueForAll(r => r.Prompt is null))
        {
            var prefix = described.Name + ".";
            var texts = await db.RowScores.AsNoTracking().Where(r => runs.Contains(r.EvaluationRunId) && keys.Contains(r.RowKey) && r.Task.StartsWith(prefix) && r.Prompt != null)
                .Select(r => new { r.EvaluationRunId, r.RowKey, r.Prompt, r.Expected, r.Answer }).ToListAsync(ct);
            var found = texts.GroupBy(t => (t.EvaluationRunId, t.RowKey)).ToDictionary(g => g.Key, g => g.First());
            rows = [.. rows.Select(r => found.TryGetValue((r.EvaluationRunId, r.RowKey), out var text) ? r.WithTexts(text.Prompt, text.Expected, text.Answer) : r)];
        }
        var byKey = rows.ToLookup(r => r.RowKey, StringComparer.Ordinal);
        return [.. keys.Select(key => new RowAcrossRuns(key, [.. runs.Select(run => byKey[key].FirstOrDefault(r => r.EvaluationRunId == run))]))];
    }

    private static void EnsureRuns(IReadOnlyList<Guid> runs)
    {
        if (runs.Count is < 2 or > MostRuns || runs.Distinct().Count() != runs.Count)
            throw LlmOpsException.Invalid($"Name two to {MostRuns} different evaluation runs; the first is what the others are compared with.");
    }

    private static async Task<EvaluationRun> GetAsync(LlmOpsDb db, Guid id, CancellationToken ct) =>
        await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Include(r => r.Suite).SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Evaluation run", id);
}
