using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>Columns of a chart: the steps in order, and for each series a value at each of them, NaN where it has none.</summary>
public sealed record Curve(IReadOnlyList<long> Steps, IReadOnlyList<double[]> Series)
{
    public static Curve None(int series) => new([], [.. Enumerable.Range(0, series).Select(_ => Array.Empty<double>())]);
}

/// <summary>One line of a chart.</summary>
public sealed record CurveOf(Guid RunId, string Key);

/// <summary>Curves, thinned out in the database: a run of 100,000 steps costs a page what one of 2,000 costs.</summary>
public sealed class ReadCurves(IDbContextFactory<LlmOpsDb> dbs, WriteGroups groups)
{
    public const int MostPoints = 2000;

    // Clients may log at any step that 64 bits hold, and the distance of two such steps is no number of 64 bits. No chart has a place for them either.
    private const long Far = 4_000_000_000_000_000_000;

    /// <param name="after">Only steps behind this one, all of them: for a page that has drawn the rest.</param>
    public async Task<Curve> ReadAsync(IReadOnlyList<CurveOf> lines, long? after = null, CancellationToken ct = default)
    {
        await groups.SettleAsync(ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        Guid[] runs = [.. lines.Select(l => l.RunId).Distinct()];
        string[] keys = [.. lines.Select(l => l.Key).Distinct()];
        var points = db.Metrics.AsNoTracking().Where(m => runs.Contains(m.RunId) && keys.Contains(m.Key) && !m.IsNan);
        if (after is { } behind)
            points = points.Where(m => m.Step > behind);
        else
        {
            points = points.Where(m => m.Step >= -Far && m.Step <= Far);
            // the most points that one line has: thinning by each line's own length would tear the lines of one chart apart
            var sizes = await points.GroupBy(m => new { m.RunId, m.Key }).Select(g => new { Count = g.Count(), First = g.Min(m => m.Step), Last = g.Max(m => m.Step) }).ToListAsync(ct);
            if (sizes.Count == 0)
                return Curve.None(lines.Count);
            var longest = sizes.MaxBy(s => s.Count)!;
            if (longest.Count > MostPoints)
            {
                var first = sizes.Min(s => s.First);
                // a multiple of the steps between two points, or hardly a point would fall on the stride
                var every = Math.Max(1, (longest.Last - longest.First) / (longest.Count - 1)) * (longest.Count / MostPoints + 1);
                long[] ends = [.. sizes.Select(s => s.Last).Distinct()];
                // Bounded once more where it is subtracted: a database tries conditions in the order that it likes.
                points = points.Where(m => ((m.Step >= -Far && m.Step <= Far ? m.Step : first) - first) % every == 0 || ends.Contains(m.Step));
            }
        }
        var rows = await points.OrderBy(m => m.Step).Select(m => new { m.RunId, m.Key, m.Step, m.Value }).ToListAsync(ct);
        long[] steps = [.. rows.Select(r => r.Step).Distinct()];
        var at = steps.Index().ToDictionary(s => s.Item, s => s.Index);
        var series = lines.Select(_ => { var values = new double[steps.Length]; Array.Fill(values, double.NaN); return values; }).ToList();
        var index = lines.Index().ToDictionary(l => l.Item, l => l.Index);
        foreach (var row in rows)
            if (index.TryGetValue(new(row.RunId, row.Key), out var line))
                series[line][at[row.Step]] = row.Value;
        return new(steps, series);
    }
}
