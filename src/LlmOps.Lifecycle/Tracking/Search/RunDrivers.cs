using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Tracking.Search;

/// <summary>
/// Of conditions that every found run must meet, the one that few meet: then those few are looked at instead of all runs. Neither database knows beforehand how rare
/// a value is, so the index is asked, and asked no longer than it takes to see that a condition is not rare.
/// </summary>
internal static class RunDrivers
{
    private const int Few = 1000;

    public static async Task<Filter.Comparison?> ChooseAsync(LlmOpsDb db, bool postgres, IReadOnlyList<Guid> experiments, Filter filter, CancellationToken ct)
    {
        (Filter.Comparison? Condition, long Count) best = (null, Few + 1);
        foreach (var condition in (filter is Filter.All all ? all.Parts : [filter]).OfType<Filter.Comparison>().Where(CanDrive).Take(5))
        {
            var sql = new SqlText(postgres);
            var found = (await sql.ReadAsync(db, $"SELECT COUNT(*) FROM (SELECT 1 AS one FROM {Rows(sql, condition, experiments)} LIMIT {best.Count}) AS few", r => r.GetInt64(0), ct))[0];
            if (found < best.Count)
                best = (condition, found);
        }
        return best.Condition;
    }

    private static bool CanDrive(Filter.Comparison c) => RunColumns.EntityOf(c.Entity) switch
    {
        RunColumns.Entity.Param or RunColumns.Entity.Tag => c is { Operator: FilterOperator.Equal, Value.Text: not null },
        RunColumns.Entity.Metric => c.Operator.IsOrder() && c.Operator != FilterOperator.NotEqual && c.Value.Number is not null,
        _ => false,
    };

    /// <summary>Table, called x, and condition.</summary>
    public static string Rows(SqlText sql, Filter.Comparison c, IReadOnlyList<Guid> experiments)
    {
        var entity = RunColumns.EntityOf(c.Entity);
        if (entity == RunColumns.Entity.Metric)
            return $"latest_metrics x WHERE x.\"ExperimentId\" IN {sql.List(experiments.Cast<object>())} AND x.\"Key\" = {sql.Value(c.Key)} AND {sql.Compare("x.\"Value\"", c.Operator, c.Value)} AND x.\"IsNan\" = {RunColumns.False(sql)}";
        return $"{(entity == RunColumns.Entity.Param ? "params" : "run_tags")} x WHERE x.\"Key\" = {sql.Value(c.Key)} AND {RunColumns.HasText(sql, c.Value.Text!)}";
    }
}
