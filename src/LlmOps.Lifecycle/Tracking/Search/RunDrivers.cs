using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Tracking.Search;

/// <summary>A condition that every found run must meet, whose rows are read first.</summary>
/// <param name="IsFew">Few rows meet it, and they are sorted afterwards; otherwise the index gives them with the newest run first, and reading ends when the page is full.</param>
internal sealed record RunDriver(Filter.Comparison Condition, bool IsFew)
{
    public string Table => RunColumns.EntityOf(Condition.Entity) switch { RunColumns.Entity.Metric => "latest_metrics", RunColumns.Entity.Param => "params", _ => "run_tags" };

    /// <summary>What its rows, called d, must meet.</summary>
    public string Where(SqlText sql, IReadOnlyList<Guid> experiments)
    {
        var rows = $"{sql.In("d.\"ExperimentId\"", experiments)} AND d.\"Key\" = {sql.Value(Condition.Key)}";
        return RunColumns.EntityOf(Condition.Entity) == RunColumns.Entity.Metric
            ? $"{rows} AND {sql.Compare("d.\"Value\"", Condition.Operator, Condition.Value)} AND d.\"IsNan\" = {RunColumns.False(sql)}"
            : $"{rows} AND {RunColumns.HasText(sql, "d", Condition.Value.Text!)}";
    }
}

/// <summary>
/// Of conditions that every found run must meet, the one that few meet: then those few are looked at instead of all runs. Neither database knows beforehand how rare
/// a value is, so the index is asked, and asked no longer than it takes to see that a condition is not rare.
/// </summary>
internal static class RunDrivers
{
    private const int Few = 1000;

    public static async Task<RunDriver?> ChooseAsync(LlmOpsDb db, bool postgres, RunQuery query, IReadOnlyList<OrderItem> order, Filter filter, CancellationToken ct)
    {
        (RunDriver? Driver, long Count) best = (null, Few + 1);
        var conditions = Conditions(filter).Where(CanDrive).ToList();
        foreach (var condition in conditions.Take(5))
        {
            var (driver, sql) = (new RunDriver(condition, true), new SqlText(postgres));
            var text = $"SELECT COUNT(*) FROM (SELECT 1 AS one FROM {driver.Table} d WHERE {driver.Where(sql, query.Experiments)} LIMIT {best.Count}) AS few";
            var found = (await sql.ReadAsync(db, text, r => r.GetInt64(0), ct, byIndex: true))[0];
            if (found < best.Count)
                best = (driver, found);
        }
        if (best.Driver is null && RunStatement.IsNewestFirst(query, order) && conditions.Find(IsText) is { } common)
            return new(common, false);
        return best.Driver;
    }

    public static bool CanDrive(Filter.Comparison c) => IsText(c) || IsNumber(c);

    /// <summary>No run without a number for this metric can be found.</summary>
    public static bool NeedsNumber(Filter? filter, string metric) => filter is not null && Conditions(filter).Any(c => IsNumber(c) && c.Key == metric);

    private static IEnumerable<Filter.Comparison> Conditions(Filter filter) => (filter is Filter.All all ? all.Parts : [filter]).OfType<Filter.Comparison>();

    private static bool IsText(Filter.Comparison c) => RunColumns.EntityOf(c.Entity) is RunColumns.Entity.Param or RunColumns.Entity.Tag && c is { Operator: FilterOperator.Equal, Value.Text: not null };

    private static bool IsNumber(Filter.Comparison c) =>
        RunColumns.EntityOf(c.Entity) == RunColumns.Entity.Metric && c.Operator.IsOrder() && c.Operator != FilterOperator.NotEqual && c.Value.Number is not null;
}
