using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>Keeps the columns of a run's large tasks beside its rows. Called where a run ends, in the transaction that ends it.</summary>
public static class PackColumns
{
    /// <summary>Fewer rows than this are read from their table just as quickly.</summary>
    public const int Fewest = 5_000;

    public static async Task AddAsync(LlmOpsDb db, EvaluationRun run, DateTimeOffset endedAt, CancellationToken ct)
    {
        await db.PackedColumns.Where(p => p.EvaluationRunId == run.Id).ExecuteDeleteAsync(ct);
        var large = await db.RowScores.Where(r => r.EvaluationRunId == run.Id).GroupBy(r => r.Task).Where(g => g.Count() >= Fewest).Select(g => g.Key).ToListAsync(ct);
        foreach (var task in RunTasks.Of(run).Where(t => large.Contains(t.RowName)).DistinctBy(t => t.RowName))
            db.PackedColumns.Add(new PackedColumns
            {
                EvaluationRunId = run.Id, Task = task.RowName, EndedAt = endedAt,
                Bytes = ColumnPacking.Pack(await ScoredColumns.ReadAsync(db, run.Id, task.RowName, task.CorpusMetric is not null, ct)),
            });
    }
}
