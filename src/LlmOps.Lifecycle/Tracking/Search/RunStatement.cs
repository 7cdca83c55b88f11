using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Tracking.Search;

internal sealed record FoundRun(Guid Id, List<string> Values);

/// <summary>One SELECT over runs.</summary>
/// <param name="rest">Null: all runs in one statement. False: those that have a number for the first metric of the order, true: those that have none.</param>
internal sealed class RunStatement(bool postgres, RunQuery query, Filter? filter, IReadOnlyList<OrderItem> order, RunDriver? driver, bool? rest)
{
    private readonly SqlText sql = new(postgres) { RunId = driver is not null ? "d.\"RunId\"" : rest == false ? "o.\"RunId\"" : "r.\"Id\"" };

    /// <summary>An index holds the metrics of one experiment in their order.</summary>
    public static bool IsByMetric(RunQuery query, IReadOnlyList<OrderItem> order) =>
        query.Experiments.Count == 1 && order.Count > 0 && RunColumns.EntityOf(order[0].Entity) == RunColumns.Entity.Metric;

    /// <summary>An index holds the runs of one experiment in this order, and the parameters and tags of each value.</summary>
    public static bool IsNewestFirst(RunQuery query, IReadOnlyList<OrderItem> order) => query.Experiments.Count == 1
        && (order.Count == 0 || (order.Count == 1 && order[0].Descending && RunColumns.EntityOf(order[0].Entity) == RunColumns.Entity.Attribute && RunColumns.IsStart(order[0].Key)));

    public async Task<List<FoundRun>> ReadAsync(LlmOpsDb db, List<string>? behind, int most, CancellationToken ct)
    {
        var columns = Columns();
        var text = Text(columns, behind, most);
        var byIndex = rest == false || (rest is null && driver?.IsFew != true && IsNewestFirst(query, order));
        return await sql.ReadAsync(db, text, reader => new FoundRun(reader.GetGuid(columns.Count - 1), SortColumns.Read(reader, columns)), ct, byIndex);
    }

    /// <summary>The text alone, for tests that look for what a client sent.</summary>
    public string Text(int most = 100) => Text(Columns(), null, most);

    private string Text(List<SortColumn> columns, List<string>? behind, int most)
    {
        var conditions = new List<string> { sql.In("r.\"ExperimentId\"", query.Experiments) };
        if (query.View != ViewType.All)
            conditions.Add($"r.\"DeletedAt\" IS {(query.View == ViewType.ActiveOnly ? "" : "NOT ")}NULL");
        // SQLite joins in the order that is written when the join is called CROSS.
        var join = postgres ? "JOIN" : "CROSS JOIN";
        var from = "runs r";
        if (driver is not null)
        {
            from = $"{driver.Table} d {join} runs r ON r.\"Id\" = d.\"RunId\"";
            conditions.Add(driver.Where(sql, query.Experiments));
        }
        else if (rest == false)
        {
            from = $"latest_metrics o {join} runs r ON r.\"Id\" = o.\"RunId\"";
            conditions.Add($"o.\"ExperimentId\" = {sql.Value(query.Experiments[0])} AND o.\"Key\" = {sql.Value(order[0].Key)} AND o.\"IsNan\" = {RunColumns.False(sql)}");
        }
        else if (rest == true)
            conditions.Add($"NOT EXISTS (SELECT 1 FROM latest_metrics o WHERE o.\"RunId\" = r.\"Id\" AND o.\"Key\" = {sql.Value(order[0].Key)} AND o.\"IsNan\" = {RunColumns.False(sql)})");
        if (filter is not null)
            conditions.Add(Condition(filter));
        if (behind is { Count: > 0 })
            conditions.Add(SortColumns.Behind(sql, columns, behind));
        return $"SELECT {SortColumns.Select(columns)} FROM {from} WHERE {string.Join(" AND ", conditions)} "
            + $"ORDER BY {SortColumns.OrderBy(columns)} LIMIT {sql.Value(most)}";
    }

    private List<SortColumn> Columns()
    {
        // The same two whether or not a condition is read first, so that the next page may find that it has become rare.
        if (IsNewestFirst(query, order))
            return driver is { IsFew: false } ? [new("d.\"StartedAt\"", true, SortKind.Whole), new("d.\"RunId\"", false, SortKind.Id)] : [new("r.\"StartedAt\"", true, SortKind.Whole), new("r.\"Id\"", false, SortKind.Id)];
        var columns = new List<SortColumn>();
        foreach (var (i, item) in order.Index())
        {
            if (i == 0 && rest == false)
            {
                columns.Add(new("o.\"Value\"", item.Descending, SortKind.Number));
                continue;
            }
            var (missing, value) = RunColumns.Order(sql, item);
            if (missing != "0")
                columns.Add(new(missing, false, SortKind.Whole));
            if (i > 0 || rest is null)
                columns.Add(new(value, item.Descending, KindOf(item)));
        }
        columns.Add(new("r.\"StartedAt\"", true, SortKind.Whole));
        columns.Add(new("r.\"Id\"", false, SortKind.Id));
        return columns;
    }

    private static SortKind KindOf(OrderItem item) => RunColumns.EntityOf(item.Entity) switch
    {
        RunColumns.Entity.Metric => SortKind.Number,
        RunColumns.Entity.Attribute when RunColumns.IsTime(item.Key) => SortKind.Whole,
        _ => SortKind.Text,
    };

    private string Condition(Filter part) => part switch
    {
        Filter.All all => "(" + string.Join(" AND ", all.Parts.Select(Condition)) + ")",
        Filter.Any any => "(" + string.Join(" OR ", any.Parts.Select(Condition)) + ")",
        // The metric that the rows come ordered by is at hand.
        Filter.Comparison c when rest == false && c.Key == order[0].Key && RunColumns.EntityOf(c.Entity) == RunColumns.Entity.Metric && c.Operator.IsOrder() && c.Value.Number is not null => sql.Compare("o.\"Value\"", c.Operator, c.Value),
        Filter.Comparison c when ReferenceEquals(c, driver?.Condition) => "1 = 1",      // its rows are the ones that are read
        Filter.Comparison comparison => RunColumns.Condition(sql, comparison),
        _ => throw new InvalidOperationException(part.GetType().Name),
    };
}
