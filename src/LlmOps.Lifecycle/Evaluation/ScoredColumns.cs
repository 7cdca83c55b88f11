using System.Data.Common;
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

    /// <summary>Through the reader itself: an object for each row would be most of the time.</summary>
    public static async Task<ScoredColumns> ReadAsync(LlmOpsDb db, Guid run, string task, bool details, CancellationToken ct)
    {
        var rows = db.RowScores.AsNoTracking().Where(r => r.EvaluationRunId == run && r.Task == task && r.State != RowState.NotApplicable).OrderBy(r => r.RowKey);
        // The columns come in the order of the projection.
        await using var command = details
            ? rows.Select(r => new { r.RowKey, r.Value, r.Weight, Missing = r.State == RowState.Missing ? 1 : 0, r.Cluster, r.Slice, r.DetailJson }).CreateDbCommand()
            : rows.Select(r => new { r.RowKey, r.Value, r.Weight, Missing = r.State == RowState.Missing ? 1 : 0, r.Cluster, r.Slice }).CreateDbCommand();
        await db.Database.OpenConnectionAsync(ct);
        // Both providers have the next row at hand nearly always, so waiting for each one apart costs more than it frees.
        return await Task.Run(() => Read(command, details, ct), ct);
    }

    private static ScoredColumns Read(DbCommand command, bool details, CancellationToken ct)
    {
        var (keys, values, weights, missing, slices, clusters, json) = (new List<string>(), new List<double>(), new List<double>(), new List<bool>(), new List<string?>(), new List<string?>(), new List<string?>());
        var known = new Dictionary<string, string>(StringComparer.Ordinal);
        using var reader = command.ExecuteReader();
        // Slices and sources repeat: one string for each.
        string? Shared(int column)
        {
            if (reader.IsDBNull(column))
                return null;
            var text = reader.GetString(column);
            return known.TryGetValue(text, out var same) ? same : known[text] = text;
        }
        var ordered = true;
        while (reader.Read())
        {
            var key = reader.GetString(0);
            ordered &= keys.Count == 0 || string.CompareOrdinal(keys[^1], key) <= 0;
            keys.Add(key);
            values.Add(reader.GetDouble(1));
            weights.Add(reader.GetDouble(2));
            missing.Add(reader.GetInt32(3) == 1);
            clusters.Add(Shared(4));
            slices.Add(Shared(5));
            json.Add(details && !reader.IsDBNull(6) ? reader.GetString(6) : null);
            if (keys.Count % 4096 == 0)
                ct.ThrowIfCancellationRequested();
        }
        var columns = new ScoredColumns { Keys = [.. keys], Values = [.. values], Weights = [.. weights], Slices = [.. slices], Clusters = [.. clusters], Details = [.. json], Missing = [.. missing] };
        // PostgreSQL may order text by a language's rules; joining and the reproducible resampling need one order on both databases.
        return ordered ? columns : columns.Sorted();
    }

    private ScoredColumns Sorted()
    {
        var order = Enumerable.Range(0, Count).ToArray();
        Array.Sort(order, (x, y) => string.CompareOrdinal(Keys[x], Keys[y]));
        T[] Column<T>(T[] of) => [.. order.Select(i => of[i])];
        return new() { Keys = Column(Keys), Values = Column(Values), Weights = Column(Weights), Slices = Column(Slices), Clusters = Column(Clusters), Details = Column(Details), Missing = Column(Missing) };
    }

    /// <summary>Places of the rows that two runs both scored, and how many rows are missing on either side.</summary>
    public static (int[] A, int[] B, MissingRows Missing) Pair(ScoredColumns a, ScoredColumns b)
    {
        var (rowsA, rowsB) = (new List<int>(Math.Min(a.Count, b.Count)), new List<int>(Math.Min(a.Count, b.Count)));
        int i = 0, j = 0, inA = 0, inB = 0, inBoth = 0;
        while (i < a.Count || j < b.Count)
        {
            var side = i == a.Count ? 1 : j == b.Count ? -1 : string.CompareOrdinal(a.Keys[i], b.Keys[j]);
            var (hasA, hasB) = (side <= 0 && !a.Missing[i], side >= 0 && !b.Missing[j]);
            if (hasA && hasB)
            {
                rowsA.Add(i);
                rowsB.Add(j);
            }
            else if (hasB)
                inA++;
            else if (hasA)
                inB++;
            else
                inBoth++;
            if (side <= 0)
                i++;
            if (side >= 0)
                j++;
        }
        return ([.. rowsA], [.. rowsB], new(inA, inB, inBoth));
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
