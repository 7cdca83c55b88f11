using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <param name="Outcome">"right" or "wrong", for tasks whose rows are 0 or 1; "missing" for rows that have no value.</param>
public sealed record RowFilter(string Task, string? Search = null, string? Slice = null, string? Outcome = null);

/// <param name="Rows">All of them, the missing ones too.</param>
/// <param name="NotApplicable">Rows about which the metric says nothing.</param>
public sealed record ScoredTask(EvaluationTask Task, int Rows, IReadOnlyList<string> Slices, int Missing = 0, int NotApplicable = 0);

/// <summary>What an evaluation found on each row.</summary>
public sealed class ReadRowScores(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<IReadOnlyList<ScoredTask>> TasksAsync(Guid runId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var groups = await db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == runId).GroupBy(r => new { r.Task, r.Slice, r.State })
            .Select(g => new { g.Key.Task, g.Key.Slice, g.Key.State, Rows = g.Count() }).ToListAsync(ct);
        var byTask = groups.ToLookup(g => g.Task);
        return [.. (await TasksAsync(db, runId, ct)).Where(t => byTask.Contains(t.RowName)).Select(t => new ScoredTask(t, byTask[t.RowName].Sum(g => g.Rows),
            [.. byTask[t.RowName].Where(g => g.Slice is not null).Select(g => g.Slice!).Distinct().Order(StringComparer.Ordinal)],
            byTask[t.RowName].Where(g => g.State == RowState.Missing).Sum(g => g.Rows), byTask[t.RowName].Where(g => g.State == RowState.NotApplicable).Sum(g => g.Rows)))];
    }

    private static async Task<IReadOnlyList<EvaluationTask>> TasksAsync(LlmOpsDb db, Guid runId, CancellationToken ct) =>
        RunTasks.Of(await db.EvaluationRuns.AsNoTracking().Where(r => r.Id == runId).Select(r => r.TasksJson).SingleOrDefaultAsync(ct));

    /// <summary>The worst rows first: those are what a reader looks for.</summary>
    public async Task<Window<RowScore>> ListAsync(Guid runId, RowFilter filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var tasks = await TasksAsync(db, runId, ct);
        var task = tasks.Get(filter.Task);
        // A suite stores the texts of an item once, with its task's first metric.
        var withTexts = task.OfSuite ? tasks.First(t => t.Name == task.Name).RowName : filter.Task;
        var rows = db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == runId && r.Task == filter.Task);
        if (filter.Slice is { Length: > 0 } slice)
            rows = rows.Where(r => r.Slice == slice);
        rows = filter.Outcome switch
        {
            "right" => rows.Where(r => r.State == RowState.Scored && r.Value >= 0.5),
            "wrong" => rows.Where(r => r.State == RowState.Scored && r.Value < 0.5),
            "missing" => rows.Where(r => r.State == RowState.Missing),
            _ => rows,
        };
        if (!string.IsNullOrWhiteSpace(filter.Search))
        {
            var text = filter.Search.Trim().ToLowerInvariant();
            rows = withTexts == filter.Task
                ? rows.Where(r => r.RowKey.ToLower().Contains(text) || r.Prompt!.ToLower().Contains(text) || r.Answer!.ToLower().Contains(text) || r.Expected!.ToLower().Contains(text))
                : rows.Where(r => db.RowScores.Any(t => t.EvaluationRunId == runId && t.Task == withTexts && t.RowKey == r.RowKey && (t.RowKey.ToLower().Contains(text) || t.Prompt!.ToLower().Contains(text) || t.Answer!.ToLower().Contains(text) || t.Expected!.ToLower().Contains(text))));
        }
        // Missing rows come before the worst: they are what went wrong most.
        var missingFirst = rows.OrderBy(r => r.State == RowState.Missing ? 0 : r.State == RowState.Scored ? 1 : 2);
        var ordered = task.HigherIsBetter ? missingFirst.ThenBy(r => r.Value / (r.Weight == 0 ? 1 : r.Weight)) : missingFirst.ThenByDescending(r => r.Value / (r.Weight == 0 ? 1 : r.Weight));
        var window = await ordered.ThenBy(r => r.RowKey).WindowAsync(skip, take, ct);
        return withTexts == filter.Task ? window : window with { Rows = await WithTextsAsync(db, runId, withTexts, window.Rows, ct) };
    }

    private static async Task<IReadOnlyList<RowScore>> WithTextsAsync(LlmOpsDb db, Guid runId, string task, IReadOnlyList<RowScore> rows, CancellationToken ct)
    {
        var keys = rows.Select(r => r.RowKey).ToList();
        var texts = await db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == runId && r.Task == task && keys.Contains(r.RowKey)).Select(r => new { r.RowKey, r.Prompt, r.Expected, r.Answer, r.DetailJson }).ToDictionaryAsync(r => r.RowKey, ct);
        return [.. rows.Select(r => r.Prompt is null && texts.TryGetValue(r.RowKey, out var text) ? r.WithTexts(text.Prompt, text.Expected, text.Answer, text.DetailJson) : r)];
    }
}
