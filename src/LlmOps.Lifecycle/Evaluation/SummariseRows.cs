using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Promotion;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>Turns stored rows into numbers with intervals. There is no other way for a number to come about.</summary>
public static class SummariseRows
{
    /// <param name="tasks">What the run measured; null for the built-in tasks.</param>
    public static IReadOnlyList<EvaluationMetric> Summarise(Guid runId, IEnumerable<RowScore> rows, int resamples, IReadOnlyList<EvaluationTask>? tasks = null) =>
        [.. rows.Where(r => r.State == RowState.Scored).GroupBy(r => r.Task)
            .Select(task => Summarise(runId, (tasks ?? EvaluationTasks.All).Get(task.Key), [.. task.OrderBy(r => r.RowKey, StringComparer.Ordinal)], resamples))];

    private static EvaluationMetric Summarise(Guid runId, EvaluationTask task, RowScore[] rows, int resamples)
    {
        var values = rows.Select(r => r.Value).ToArray();
        var estimate = task switch
        {
            { Proportion: true } => Wilson.Interval((int)values.Sum(), values.Length),
            { IsRatio: true } => Bootstrap.Ratio(values, [.. rows.Select(r => r.Weight)], resamples),
            _ when values.Length == 1 => new Estimate(values[0], values[0], values[0], 1),
            _ => Bootstrap.Mean(values, resamples),
        };
        return new EvaluationMetric
        {
            EvaluationRunId = runId, Name = task.FullName, Value = estimate.Value, Low = estimate.Low, High = estimate.High, N = estimate.N,
            Unit = task.Unit, HigherIsBetter = task.HigherIsBetter,
        };
    }
}

public sealed record PairedRow(string Task, string RowKey, RowScore A, RowScore B);

public sealed record Comparison(EvaluationRun A, EvaluationRun B, IReadOnlyList<MeasuredMetric> Differences, IReadOnlyDictionary<string, (int Improved, int Regressed)> Flips);

/// <summary>Two runs on the rows both have, always paired.</summary>
public sealed class CompareRuns(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<Comparison> CompareAsync(Guid a, Guid b, int resamples = 5000, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var runA = await GetAsync(db, a, ct);
        var runB = await GetAsync(db, b, ct);
        var rowsA = await RowsAsync(db, a, ct);
        var rowsB = await RowsAsync(db, b, ct);
        var differences = new List<MeasuredMetric>();
        var flips = new Dictionary<string, (int, int)>();
        foreach (var task in EvaluationTasks.All)
        {
            var pairs = rowsA.Where(r => r.Task == task.Name)
                .Join(rowsB.Where(r => r.Task == task.Name), r => r.RowKey, r => r.RowKey, (x, y) => (A: x, B: y)).OrderBy(p => p.A.RowKey, StringComparer.Ordinal).ToList();
            if (pairs.Count < 2)
                continue;
            differences.Add(Difference(task, pairs, resamples));
            if (task.Proportion)
                flips[task.Name] = (pairs.Count(p => p.B.Value > p.A.Value), pairs.Count(p => p.B.Value < p.A.Value));
        }
        return new(runA, runB, differences, flips);
    }

    /// <summary>B minus A.</summary>
    private static MeasuredMetric Difference(EvaluationTask task, List<(RowScore A, RowScore B)> pairs, int resamples)
    {
        double[] a = [.. pairs.Select(p => p.A.Value)], b = [.. pairs.Select(p => p.B.Value)];
        var e = task.IsRatio
            ? Bootstrap.PairedRatioDifference(b, [.. pairs.Select(p => p.B.Weight)], a, [.. pairs.Select(p => p.A.Weight)], resamples)
            : Bootstrap.PairedDifference(b, a, resamples);
        return new(task.FullName, e.Value, e.Low, e.High, e.N, task.Unit, task.HigherIsBetter);
    }

    public async Task<IReadOnlyList<PairedRow>> RowsAsync(Guid a, Guid b, string task, string filter, int skip, int take, CancellationToken ct = default) =>
        (await PairsAsync(a, b, task, filter, skip, take, ct)).Rows;

    /// <summary>Rows that both runs have; the filter is "improved" or "regressed" (B against A), anything else is all.</summary>
    public async Task<Window<PairedRow>> PairsAsync(Guid a, Guid b, string task, string filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var better = EvaluationTasks.Get(task).HigherIsBetter;
        var pairs = from x in db.RowScores.AsNoTracking()
                    join y in db.RowScores.AsNoTracking() on new { x.Task, x.RowKey } equals new { y.Task, y.RowKey }
                    where x.EvaluationRunId == a && y.EvaluationRunId == b && x.Task == task
                    select new { x, y };
        pairs = filter switch
        {
            "improved" => pairs.Where(p => better ? p.y.Value / p.y.Weight > p.x.Value / p.x.Weight : p.y.Value / p.y.Weight < p.x.Value / p.x.Weight),
            "regressed" => pairs.Where(p => better ? p.y.Value / p.y.Weight < p.x.Value / p.x.Weight : p.y.Value / p.y.Weight > p.x.Value / p.x.Weight),
            _ => pairs,
        };
        var page = await pairs.OrderBy(p => p.x.RowKey).WindowAsync(skip, take, ct);
        return new([.. page.Rows.Select(p => new PairedRow(task, p.x.RowKey, p.x, p.y))], page.Total);
    }

    private static async Task<EvaluationRun> GetAsync(LlmOpsDb db, Guid id, CancellationToken ct) =>
        await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).Include(r => r.Suite).SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Evaluation run", id);

    private static Task<List<RowScore>> RowsAsync(LlmOpsDb db, Guid id, CancellationToken ct) =>
        db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == id).ToListAsync(ct);
}
