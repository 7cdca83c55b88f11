using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>The rows of one task of one run as columns, ordered by key. Texts are left in the database: of 100,000 rows they would be most of the bytes.</summary>
internal sealed class ScoredColumns
{
    public required string[] Keys { get; init; }
    public required double[] Values { get; init; }
    public required double[] Weights { get; init; }
    public required string?[] Slices { get; init; }
    public required string?[] Clusters { get; init; }
    /// <summary>Only of corpus metrics, whose sufficient statistics are in there.</summary>
    public required string?[] Details { get; init; }
    public required bool[] Missing { get; init; }
    public int Count => Keys.Length;

    public double Score(int row) => Weights[row] == 0 ? Values[row] : Values[row] / Weights[row];

    private sealed record Cells(string Key, double Value, double Weight, string? Slice, string? Cluster, bool Missing, string? Detail);

    public static async Task<ScoredColumns> ReadAsync(LlmOpsDb db, Guid run, string task, bool details, CancellationToken ct)
    {
        var rows = db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == run && r.Task == task).OrderBy(r => r.RowKey);
        var cells = details
            ? await rows.Select(r => new Cells(r.RowKey, r.Value, r.Weight, r.Slice, r.Cluster, r.State == RowState.Missing, r.DetailJson)).ToArrayAsync(ct)
            : await rows.Select(r => new Cells(r.RowKey, r.Value, r.Weight, r.Slice, r.Cluster, r.State == RowState.Missing, null)).ToArrayAsync(ct);
        // PostgreSQL may order text by a language's rules; joining and the reproducible resampling need one order on both databases.
        for (var i = 1; i < cells.Length; i++)
        {
            if (string.CompareOrdinal(cells[i - 1].Key, cells[i].Key) <= 0)
                continue;
            Array.Sort(cells, static (x, y) => string.CompareOrdinal(x.Key, y.Key));
            break;
        }
        return new()
        {
            Keys = [.. cells.Select(c => c.Key)], Values = [.. cells.Select(c => c.Value)], Weights = [.. cells.Select(c => c.Weight)], Slices = [.. cells.Select(c => c.Slice)],
            Clusters = [.. cells.Select(c => c.Cluster)], Details = [.. cells.Select(c => c.Detail)], Missing = [.. cells.Select(c => c.Missing)],
        };
    }

    /// <summary>Every key that any of the runs has, with the row's place in each run; −1 where there is none.</summary>
    public static List<(string Key, int[] Rows)> Join(IReadOnlyList<ScoredColumns> runs)
    {
        var joined = new List<(string, int[])>(runs.Max(r => r.Count));
        var next = new int[runs.Count];
        while (true)
        {
            string? least = null;
            for (var r = 0; r < runs.Count; r++)
                if (next[r] < runs[r].Count && (least is null || string.CompareOrdinal(runs[r].Keys[next[r]], least) < 0))
                    least = runs[r].Keys[next[r]];
            if (least is null)
                return joined;
            var rows = new int[runs.Count];
            for (var r = 0; r < runs.Count; r++)
                rows[r] = next[r] < runs[r].Count && string.Equals(runs[r].Keys[next[r]], least, StringComparison.Ordinal) ? next[r]++ : -1;
            joined.Add((least, rows));
        }
    }
}
