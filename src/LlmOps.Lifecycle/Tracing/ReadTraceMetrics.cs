using System.Data.Common;
using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <param name="Type">COUNT, SUM, AVG, MIN, MAX or PERCENTILE.</param>
/// <param name="Percentile">From 0 to 100.</param>
public sealed record MetricAggregation(string? Type, double? Percentile = null);

/// <param name="IntervalSeconds">Parts the time into stretches of this length, from 1970 on; null takes it as a whole.</param>
/// <param name="StartMs">Of traces that began at this moment or later.</param>
/// <param name="EndMs">Of traces that began at this moment or before.</param>
public sealed record TraceMetricQuery(IReadOnlyList<Guid> Experiments, string? ViewType, string? MetricName, IReadOnlyList<MetricAggregation> Aggregations, IReadOnlyList<string> Dimensions, IReadOnlyList<string> Filters,
    long? IntervalSeconds = null, long? StartMs = null, long? EndMs = null, int? MaxResults = null, string? PageToken = null);

/// <param name="Values">By aggregation: "COUNT", "AVG", "P99.0" …</param>
public sealed record MetricDataPoint(IReadOnlyDictionary<string, string> Dimensions, IReadOnlyDictionary<string, double> Values);

/// <summary>Counts, sums, means and percentiles of traces, spans and assessments, worked out in the database. A percentile lies between the two neighbours in proportion (Hyndman and Fan's seventh definition).</summary>
public sealed class ReadTraceMetrics(IDbContextFactory<LlmOpsDb> dbs)
{
    private const int Most = 1000, MostParts = 20;
    private const long LongestInterval = 10L * 365 * 86_400;
    private const string Bucket = "time_bucket";
    private static readonly string[] Types = ["COUNT", "SUM", "AVG", "MIN", "MAX", "PERCENTILE"];

    public async Task<Page<MetricDataPoint>> ReadAsync(TraceMetricQuery query, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var sql = new SqlText(!db.Database.IsSqlite());
        var view = TraceMetricView.Of(query.ViewType, sql);
        var value = view.Metric(query.MetricName);
        EnsureCounts(query);
        var isCount = query.MetricName!.EndsWith("_count", StringComparison.Ordinal);
        var wanted = query.Aggregations.Select(a => (Label: Label(a, isCount), Share: a.Type == "PERCENTILE" ? a.Percentile!.Value / 100 : (double?)null)).DistinctBy(a => a.Label).ToList();
        List<string> names = [.. (query.IntervalSeconds is null ? [] : new[] { Bucket }).Concat(query.Dimensions).Distinct()];
        List<string> columns = [.. names.Select(n => n == Bucket && query.IntervalSeconds is not null ? $"({view.At} / {sql.Value(Interval(query) * 1000)}) * {sql.Value(Interval(query) * 1000)}" : view.Dimension(n))];
        var most = TableSearch.EnsureSize(query.MaxResults, Most, Most);
        var begin = PageToken.Read<List<string>>(query.PageToken);
        var (from, scope) = TraceStatement.Scope(sql, query.Experiments);
        List<string> conditions = [.. scope, .. query.Filters.Select(FilterParser.Parse).OfType<Filter>().Select(f => view.Condition(f, sql))];
        if (query.StartMs is { } start)
            conditions.Add($"r.\"StartedAt\" >= {sql.Value(start)}");
        if (query.EndMs is { } end)
            conditions.Add($"r.\"StartedAt\" <= {sql.Value(end)}");
        if (query.Experiments.Count == 0)
            return new([], null);

        List<string> keys = [.. names.Select((_, i) => $"d{i}")];
        var grouped = keys.Count == 0 ? "" : $"PARTITION BY {string.Join(", ", keys)}";
        var shares = wanted.Where(a => a.Share is not null).Select(a => a.Share!.Value).ToList();
        var order = shares.Count == 0 ? "" : $", row_number() OVER ({grouped} ORDER BY v) AS i, count(*) OVER ({grouped}) AS n";
        var there = string.Concat(keys.Select(k => $" AND {k} IS NOT NULL")) + Behind(sql, names, keys, begin);
        var text = $"WITH a AS (SELECT {string.Concat(columns.Select((c, i) => $"{c} AS d{i}, "))}CAST({value} AS DOUBLE PRECISION) AS v FROM {from}{view.Join} WHERE {string.Join(" AND ", conditions)}), "
            + $"b AS (SELECT {string.Concat(keys.Select(k => k + ", "))}v{order} FROM a WHERE v IS NOT NULL{there}) "
            + $"SELECT {string.Concat(keys.Select(k => k + ", "))}count(*), sum(v), avg(v), min(v), max(v){string.Concat(shares.Select(s => Neighbours(sql, s)))} FROM b"
            + (keys.Count == 0 ? "" : $" GROUP BY {string.Join(", ", keys)} ORDER BY {string.Join(", ", keys)}") + $" LIMIT {sql.Value(most + 1)}";
        var rows = await sql.ReadAsync(db, text, r => Read(r, names, wanted), ct);
        var next = rows.Count > most ? PageToken.Write(rows[most - 1].Keys) : null;
        return new([.. rows.Take(most).Select(r => r.Point).Where(p => p.Values.Count > 0)], next);
    }

    private static (List<string> Keys, MetricDataPoint Point) Read(DbDataReader row, List<string> names, List<(string Label, double? Share)> wanted)
    {
        List<string> keys = [.. names.Select((n, i) => n == Bucket ? row.GetInt64(i).ToString(CultureInfo.InvariantCulture) : row.GetString(i))];
        var at = names.Count;
        var count = Convert.ToInt64(row.GetValue(at), CultureInfo.InvariantCulture);
        var values = new Dictionary<string, double>();
        var next = at + 5;
        foreach (var (label, share) in wanted)
        {
            var column = label switch { "COUNT" => at, "SUM" => at + 1, "AVG" => at + 2, "MIN" => at + 3, "MAX" => at + 4, _ => next };
            if (share is null)
            {
                if (!row.IsDBNull(column))
                    values[label] = Convert.ToDouble(row.GetValue(column), CultureInfo.InvariantCulture);
                continue;
            }
            if (count > 0)
            {
                var place = share.Value * (count - 1);
                var low = row.GetDouble(column);
                values[label] = row.IsDBNull(column + 1) ? low : low + (row.GetDouble(column + 1) - low) * (place - Math.Floor(place));
            }
            next += 2;
        }
        var dimensions = names.Select((n, i) => (n, n == Bucket ? DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(i)).ToString("yyyy-MM-dd'T'HH:mm:ss+00:00", CultureInfo.InvariantCulture) : keys[i])).ToDictionary(d => d.n, d => d.Item2);
        return (keys, new(dimensions, values));
    }

    /// <summary>The values on both sides of a share of the ordered ones; the upper one is missing at the end.</summary>
    private static string Neighbours(SqlText sql, double share)
    {
        var below = sql.IsPostgres ? $"floor({sql.Value(share)} * (n - 1))" : $"CAST({sql.Value(share)} * (n - 1) AS INTEGER)";
        return $", max(CASE WHEN i = 1 + {below} THEN v END), max(CASE WHEN i = 2 + {below} THEN v END)";
    }

    private static string Behind(SqlText sql, List<string> names, List<string> keys, List<string>? begin)
    {
        if (begin is null)
            return "";
        if (keys.Count == 0 || begin.Count != keys.Count || begin.Any(b => b is null || !TrackingLimits.IsStorable(b)))
            throw LlmOpsException.Invalid("Invalid page token: it belongs to a query with other dimensions.");
        var places = names.Select((n, i) => n != Bucket ? sql.Value(begin[i]) : long.TryParse(begin[i], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var at) ? sql.Value(at) : throw LlmOpsException.Invalid("Invalid page token: it belongs to a query without a time interval."));
        return $" AND ({string.Join(", ", keys)}) > ({string.Join(", ", places)})";
    }

    private static string Label(MetricAggregation a, bool isCount)
    {
        if (!Types.Contains(TrackingKeys.Required(a.Type, "aggregation_type")))
            throw LlmOpsException.Invalid($"Found invalid aggregation_type(s): ['{TrackingKeys.Shown(a.Type!)}']. Supported aggregation types: [{string.Join(", ", Types.Select(t => $"'{t}'"))}]");
        if (isCount && a.Type != "COUNT")
            throw LlmOpsException.Invalid($"Found invalid aggregation_type(s): ['{a.Type}']. Supported aggregation types: ['COUNT']");
        if (a.Type != "PERCENTILE")
            return a.Type!;
        if (a.Percentile is not (>= 0 and <= 100 and var percent))
            throw LlmOpsException.Invalid("Invalid value for parameter 'percentile_value' supplied: PERCENTILE needs one from 0 to 100.");
        var text = percent.ToString("R", CultureInfo.InvariantCulture);
        return "P" + (text.AsSpan().IndexOfAny('.', 'E') < 0 ? text + ".0" : text);
    }

    private static long Interval(TraceMetricQuery query) =>
        query.StartMs is null || query.EndMs is null ? throw LlmOpsException.Invalid("`start_time_ms` and `end_time_ms` are required where `time_interval_seconds` is set.")
        : query.IntervalSeconds is >= 1 and <= LongestInterval and var seconds ? seconds : throw LlmOpsException.Invalid($"Invalid value {query.IntervalSeconds} for parameter 'time_interval_seconds' supplied: it is from 1 to {LongestInterval}.");

    private static void EnsureCounts(TraceMetricQuery query)
    {
        if (query.Aggregations.Count is 0 or > MostParts)
            throw LlmOpsException.Invalid($"A query has 1 to {MostParts} aggregations; this one has {query.Aggregations.Count}.");
        if (query.Dimensions.Count > MostParts || query.Filters.Count > MostParts)
            throw LlmOpsException.Invalid($"A query has at most {MostParts} dimensions and {MostParts} filters.");
    }
}
