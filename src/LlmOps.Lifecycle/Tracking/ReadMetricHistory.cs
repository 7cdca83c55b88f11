using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

public sealed record HistoryPoint(Guid RunId, string Key, double Value, DateTimeOffset At, long Step);

/// <summary>Every point of a metric, by step, then time: in pages, or thinned out in the database.</summary>
public sealed class ReadMetricHistory(IDbContextFactory<LlmOpsDb> dbs, WriteGroups groups)
{
    public const int MostRuns = 100, MostPoints = 25_000;

    private sealed record Place(long Step, DateTimeOffset At, double Value, bool IsNan);

    /// <param name="maxResults">Null for all of them.</param>
    public async Task<Page<HistoryPoint>> PageAsync(Guid runId, string? key, int? maxResults, string? pageToken, CancellationToken ct = default)
    {
        TrackingKeys.Required(key, "metric_key");
        if (maxResults is < 1)
            throw LlmOpsException.Invalid($"Invalid value {maxResults} for parameter 'max_results' supplied: it must be positive.");
        var begin = PageToken.Read<Place>(pageToken);
        await groups.SettleAsync(ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (!await db.Runs.AnyAsync(r => r.Id == runId, ct))
            throw ChangeRun.NotFound(runId);
        var points = db.Metrics.AsNoTracking().Where(m => m.RunId == runId && m.Key == key);
        if (begin is { } b)
            points = points.Where(m => m.Step >= b.Step && (m.Step > b.Step || m.At > b.At || (m.At == b.At && (m.Value > b.Value || (m.Value == b.Value && m.IsNan && !b.IsNan)))));
        points = points.OrderBy(m => m.Step).ThenBy(m => m.At).ThenBy(m => m.Value).ThenBy(m => m.IsNan);
        // As many as an int holds is all of them, and one more than that is none.
        var rows = await (maxResults is { } most and < int.MaxValue ? points.Take(most + 1) : points).ToListAsync(ct);
        var page = maxResults is { } size && rows.Count > size ? rows[..size] : rows;
        var last = page.Count < rows.Count ? page[^1] : null;
        return new([.. page.Select(m => new HistoryPoint(runId, m.Key, m.IsNan ? double.NaN : m.Value, m.At, m.Step))],
            last is null ? null : PageToken.Write(new Place(last.Step, last.At, last.Value, last.IsNan)));
    }

    /// <summary>At most so many points of each run, evenly spread over its points; the first and the last are always there.</summary>
    public async Task<IReadOnlyList<HistoryPoint>> SampleAsync(IReadOnlyList<Guid> runs, string? key, long? startStep, long? endStep, int maxResults, CancellationToken ct = default)
    {
        TrackingKeys.Required(key, "metric_key");
        if (runs.Count is 0 or > MostRuns)
            throw LlmOpsException.Invalid($"GetMetricHistoryBulkInterval request must specify at least one and at most {MostRuns} run_ids. Got {runs.Count}.");
        if (startStep is null != endStep is null)
            throw LlmOpsException.Invalid("If either start step or end step are specified, both must be specified.");
        if (startStep > endStep)
            throw LlmOpsException.Invalid($"end_step must be greater than start_step. Found start_step={startStep} and end_step={endStep}.");
        if (maxResults is < 1 or > MostPoints)
            throw LlmOpsException.Invalid($"Invalid value {maxResults} for parameter 'max_results' supplied: it is at least 1 and at most {MostPoints}.");
        await groups.SettleAsync(ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rows = await SampleAsync(db, [.. runs.Distinct()], key!, maxResults, withNan: true, ct, startStep, endStep);
        var byRun = rows.ToLookup(r => r.RunId);
        return [.. runs.Distinct().SelectMany(r => byRun[r])];
    }

    /// <summary>Counted off by place and not by step: clients log at step 0 again and again, at steps far apart, and at any that 64 bits hold.</summary>
    internal static Task<List<HistoryPoint>> SampleAsync(LlmOpsDb db, IReadOnlyList<Guid> runs, string key, int most, bool withNan, CancellationToken ct, long? startStep = null, long? endStep = null)
    {
        if (runs.Count == 0)
            return Task.FromResult<List<HistoryPoint>>([]);
        var sql = new SqlText(!db.Database.IsSqlite());
        var points = sql.Value((long)most);
        var range = startStep is null ? "" : $" AND \"Step\" >= {sql.Value(startStep.Value)} AND \"Step\" <= {sql.Value(endStep!.Value)}";
        var number = withNan ? "" : $" AND \"IsNan\" = {RunColumns.False(sql)}";
        // whole-number division rounds down, so the stride is rounded up: never more points than were asked for, beside the last one
        var text = $"SELECT \"RunId\", \"Step\", \"At\", \"Value\", \"IsNan\" FROM (SELECT \"RunId\", \"Step\", \"At\", \"Value\", \"IsNan\", ROW_NUMBER() OVER (PARTITION BY \"RunId\" ORDER BY \"Step\", \"At\", \"Value\") - 1 AS place, COUNT(*) OVER (PARTITION BY \"RunId\") AS size "
            + $"FROM metrics WHERE \"RunId\" IN {sql.List(runs.Cast<object>())} AND \"Key\" = {sql.Value(key)}{range}{number}) AS points WHERE place % ((size + {points} - 1) / {points}) = 0 OR place = size - 1 ORDER BY \"RunId\", \"Step\", \"At\", \"Value\"";
        return sql.ReadAsync(db, text, r => new HistoryPoint(r.GetGuid(0), key, r.GetBoolean(4) ? double.NaN : r.GetDouble(3), DateTimeOffset.FromUnixTimeMilliseconds(r.GetInt64(2)), r.GetInt64(1)), ct);
    }
}

/// <summary>One run with all that was logged to it; of each metric the newest point.</summary>
public sealed class ReadLoggedRuns(IDbContextFactory<LlmOpsDb> dbs, WriteGroups groups)
{
    public async Task<LoggedRun> GetAsync(Guid id, CancellationToken ct = default)
    {
        await groups.SettleAsync(ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await LoggedRuns.GetAsync(db, id, ct);
    }
}
