using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>
/// Finds traces by the filters of the MLflow API. One span stands for its trace: the root, or the first of those that came while the root is missing. Everything a client
/// wrote is a parameter of the statement.
/// </summary>
internal sealed class TraceStatement
{
    private const string First = """
        NOT EXISTS (SELECT 1 FROM spans o WHERE o."TraceId" = r."TraceId" AND ((o."ParentSpanId" IS NULL AND r."ParentSpanId" IS NOT NULL) OR ((o."ParentSpanId" IS NULL) = (r."ParentSpanId" IS NULL)
        AND (o."StartedAt" < r."StartedAt" OR (o."StartedAt" = r."StartedAt" AND o."SpanId" < r."SpanId")))))
        """;

    private readonly SqlText sql;
    private readonly List<string> conditions = [];
    private readonly List<SortColumn> columns = [];
    private readonly string from;

    public TraceStatement(bool postgres, IReadOnlyList<Guid> experiments, Filter? filter, IReadOnlyList<OrderItem> order)
    {
        sql = new(postgres);
        (from, var scope) = Scope(sql, experiments);
        conditions.AddRange(scope);
        if (filter is not null)
            conditions.Add(new TraceConditions(sql).Of(filter));
        foreach (var item in order)
            columns.Add(Order(item));
        columns.Add(new("r.\"StartedAt\"", true, SortKind.Whole));
        columns.Add(new("r.\"TraceId\"", false, SortKind.Text));
    }

    /// <summary>One row for each trace of these experiments: its first span is r, and what a client said of it is t.</summary>
    internal static (string From, IReadOnlyList<string> Conditions) Scope(SqlText sql, IReadOnlyList<Guid> experiments) =>
        // Traces of which nobody said where they belong are in the default experiment; the others are reached from the few rows that say it.
        experiments.Contains(TrackingKeys.DefaultExperimentId)
            ? ("spans r LEFT JOIN logged_traces t ON t.\"TraceId\" = r.\"TraceId\"", [$"(t.\"TraceId\" IS NULL OR {sql.OneOf("t.\"ExperimentId\"", experiments)})", First])
            : ("logged_traces t CROSS JOIN spans r", [$"t.\"TraceId\" = r.\"TraceId\" AND {sql.OneOf("t.\"ExperimentId\"", experiments)}", First]);

    public Task<List<(string TraceId, List<string> Values)>> ReadAsync(LlmOpsDb db, List<string>? begin, int most, CancellationToken ct)
    {
        var all = begin is null ? conditions : [.. conditions, SortColumns.Behind(sql, columns, begin)];
        var text = $"SELECT {SortColumns.Select(columns)} FROM {from} WHERE {string.Join(" AND ", all)} ORDER BY {SortColumns.OrderBy(columns)} LIMIT {sql.Value(most)}";
        return sql.ReadAsync(db, text, r => (r.GetString(columns.Count - 1), SortColumns.Read(r, columns)), ct);
    }

    public async Task<long> CountAsync(LlmOpsDb db, CancellationToken ct) =>
        (await sql.ReadAsync(db, $"SELECT COUNT(*) FROM {from} WHERE {string.Join(" AND ", conditions)}", r => Convert.ToInt64(r.GetValue(0), CultureInfo.InvariantCulture), ct))[0];

    private static SortColumn Order(OrderItem item)
    {
        var column = item.Entity?.ToLowerInvariant() is null or "attribute" or "attributes" or "attr" or "trace" ? item.Key.ToLowerInvariant() switch
        {
            "timestamp" or "timestamp_ms" or "request_time" => new SortColumn("r.\"StartedAt\"", item.Descending, SortKind.Whole),
            "execution_time" or "execution_time_ms" or "execution_duration" => new("r.\"DurationMs\"", item.Descending, SortKind.Number),
            "status" or "state" => new(TraceConditions.State, item.Descending, SortKind.Text),
            "name" => new(TraceConditions.Name, item.Descending, SortKind.Text),
            "request_id" or "trace_id" => new("r.\"TraceId\"", item.Descending, SortKind.Text),
            _ => null,
        } : null;
        return column ?? throw LlmOpsException.Invalid($"Invalid order_by key '{TrackingKeys.Shown(item.Key)}' specified. Valid keys are timestamp_ms, execution_time_ms, status, name and request_id.");
    }
}
