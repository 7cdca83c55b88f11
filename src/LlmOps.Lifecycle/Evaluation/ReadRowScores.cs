using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <param name="Outcome">"right" or "wrong", for tasks whose rows are 0 or 1.</param>
public sealed record RowFilter(string Task, string? Search = null, string? Slice = null, string? Outcome = null);

public sealed record ScoredTask(EvaluationTask Task, int Rows, IReadOnlyList<string> Slices);

/// <summary>What an evaluation found on each row.</summary>
public sealed class ReadRowScores(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<IReadOnlyList<ScoredTask>> TasksAsync(Guid runId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var groups = await db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == runId).GroupBy(r => new { r.Task, r.Slice })
            .Select(g => new { g.Key.Task, g.Key.Slice, Rows = g.Count() }).ToListAsync(ct);
        return [.. EvaluationTasks.All.Select(t => new ScoredTask(t, groups.Where(g => g.Task == t.Name).Sum(g => g.Rows),
            [.. groups.Where(g => g.Task == t.Name && g.Slice is not null).Select(g => g.Slice!).Order(StringComparer.Ordinal)])).Where(t => t.Rows > 0)];
    }

    /// <summary>The worst rows first: those are what a reader looks for.</summary>
    public async Task<Window<RowScore>> ListAsync(Guid runId, RowFilter filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rows = db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == runId && r.Task == filter.Task);
        if (filter.Slice is { Length: > 0 } slice)
            rows = rows.Where(r => r.Slice == slice);
        rows = filter.Outcome switch
        {
            "right" => rows.Where(r => r.Value >= 0.5),
            "wrong" => rows.Where(r => r.Value < 0.5),
            _ => rows,
        };
        if (!string.IsNullOrWhiteSpace(filter.Search))
        {
            var text = filter.Search.Trim().ToLowerInvariant();
            rows = rows.Where(r => r.RowKey.ToLower().Contains(text) || r.Prompt!.ToLower().Contains(text) || r.Answer!.ToLower().Contains(text) || r.Expected!.ToLower().Contains(text));
        }
        var ordered = EvaluationTasks.Get(filter.Task).HigherIsBetter
            ? rows.OrderBy(r => r.Value / (r.Weight == 0 ? 1 : r.Weight)) : rows.OrderByDescending(r => r.Value / (r.Weight == 0 ? 1 : r.Weight));
        return await ordered.ThenBy(r => r.RowKey).WindowAsync(skip, take, ct);
    }
}
