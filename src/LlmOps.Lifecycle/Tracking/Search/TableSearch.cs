using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking.Search;

/// <param name="Sql">An expression over the table that is called r; never null.</param>
internal sealed record TableColumn(string Sql, SortKind Kind);

/// <summary>What can be searched beside runs: small tables with attributes and tags.</summary>
/// <param name="From">Table and alias r, with what is joined.</param>
/// <param name="Attributes">By the names that a filter uses.</param>
/// <param name="TagsTable">Table with the columns Key and Value, and the column of it that names the row.</param>
/// <param name="Prefixes">Words that may stand before an attribute.</param>
internal sealed record TableShape(string From, IReadOnlyDictionary<string, TableColumn> Attributes, (string Table, string Column) Tags, IReadOnlyList<string> Orders, IReadOnlyList<SortColumn> Ties, IReadOnlyList<string> Prefixes)
{
    /// <summary>Keys of tags of which "is not this" holds, too, for what has no such tag: clients add such a condition to every search.</summary>
    public IReadOnlyList<string> TagsThatMayLack { get; init; } = [];
    public (string Table, string Column)? Params { get; init; }
    public (string Table, string Column)? Metrics { get; init; }
    /// <summary>Numbers count only where they were measured on one of these; all of them when there is none.</summary>
    public IReadOnlyList<(string Name, string? Digest)> MetricDatasets { get; init; } = [];
}

/// <summary>Finds rows of a <see cref="TableShape"/> by a filter, in an order, page by page.</summary>
internal static class TableSearch
{
    /// <param name="where">Further conditions, made with the same statement.</param>
    public static async Task<Page<Guid>> FindAsync(LlmOpsDb db, TableShape shape, string? filter, IReadOnlyList<string>? orderBy, int most, string? pageToken, Func<SqlText, IEnumerable<string>> where, CancellationToken ct)
    {
        var parsed = FilterParser.Parse(filter);
        var sql = new SqlText(!db.Database.IsSqlite());
        var columns = Columns(sql, shape, OrderItem.Parse(orderBy));
        var begin = PageToken.Read<List<string>>(pageToken);
        var conditions = where(sql).ToList();
        if (parsed is not null)
            conditions.Add(Condition(sql, shape, parsed));
        if (begin is { } values)
            conditions.Add(SortColumns.Behind(sql, columns, values));
        var text = $"SELECT {SortColumns.Select(columns)} FROM {shape.From} WHERE {string.Join(" AND ", conditions.DefaultIfEmpty("1 = 1"))} ORDER BY {SortColumns.OrderBy(columns)} LIMIT {sql.Value(most + 1)}";
        var rows = await sql.ReadAsync(db, text, r => (Id: r.GetGuid(columns.Count - 1), Values: SortColumns.Read(r, columns)), ct);
        return new([.. rows.Take(most).Select(r => r.Id)], rows.Count > most ? PageToken.Write(rows[most - 1].Values) : null);
    }

    public static int EnsureSize(int? wanted, int usual, int most) => wanted switch
    {
        null => usual,
        >= 1 when wanted <= most => wanted.Value,
        _ => throw LlmOpsException.Invalid($"Invalid value {wanted} for parameter 'max_results' supplied: it is at least 1 and at most {most}."),
    };

    private static List<SortColumn> Columns(SqlText sql, TableShape shape, IReadOnlyList<OrderItem> order)
    {
        var columns = new List<SortColumn>();
        foreach (var item in order)
        {
            if (shape.Metrics is { } metrics && IsMetric(item.Entity))
            {
                var metric = Metric(sql, shape, metrics, item.Key);
                columns.Add(new($"CASE WHEN EXISTS (SELECT 1 {metric}) THEN 0 ELSE 1 END", false, SortKind.Whole));
                columns.Add(new($"coalesce((SELECT MAX(x.\"Value\") {metric}), 0)", item.Descending, SortKind.Number));
                continue;
            }
            if (TextTable(shape, item.Entity) is { } table)
            {
                var tag = $"FROM {table.Table} x WHERE x.\"{table.Column}\" = r.\"Id\" AND x.\"Key\" = {sql.Value(item.Key)}";
                columns.Add(new($"CASE WHEN EXISTS (SELECT 1 {tag}) THEN 0 ELSE 1 END", false, SortKind.Whole));
                columns.Add(new($"coalesce((SELECT x.\"Value\" {tag}), '')", item.Descending, SortKind.Text));
                continue;
            }
            var key = item.Key.ToLowerInvariant();
            if (!IsAttribute(shape, item.Entity) || !shape.Orders.Contains(key))
                throw LlmOpsException.Invalid($"Invalid order_by key '{TrackingKeys.Shown(item.Key)}' specified. Valid keys are {string.Join(", ", shape.Orders)}.");
            columns.Add(new(shape.Attributes[key].Sql, item.Descending, shape.Attributes[key].Kind));
        }
        return [.. columns, .. shape.Ties];
    }

    private static (string Table, string Column)? TextTable(TableShape shape, string? entity) => entity?.ToLowerInvariant() switch
    {
        "tag" or "tags" => shape.Tags,
        "param" or "params" or "parameter" or "parameters" => shape.Params,
        _ => null,
    };

    private static bool IsMetric(string? entity) => entity?.ToLowerInvariant() is "metric" or "metrics";

    private static string Metric(SqlText sql, TableShape shape, (string Table, string Column) metrics, string key)
    {
        var on = shape.MetricDatasets.Select(d => d.Digest is null ? $"x.\"DatasetName\" = {sql.Value(d.Name)}" : $"(x.\"DatasetName\" = {sql.Value(d.Name)} AND x.\"DatasetDigest\" = {sql.Value(d.Digest)})").ToList();
        return $"FROM {metrics.Table} x WHERE x.\"{metrics.Column}\" = r.\"Id\" AND x.\"Key\" = {sql.Value(key)} AND x.\"IsNan\" = {RunColumns.False(sql)}{(on.Count > 0 ? $" AND ({string.Join(" OR ", on)})" : "")}";
    }

    private static bool IsAttribute(TableShape shape, string? entity) => entity is null || shape.Prefixes.Contains(entity.ToLowerInvariant());

    private static string Condition(SqlText sql, TableShape shape, Filter filter) => filter switch
    {
        Filter.All all => "(" + string.Join(" AND ", all.Parts.Select(p => Condition(sql, shape, p))) + ")",
        Filter.Any any => "(" + string.Join(" OR ", any.Parts.Select(p => Condition(sql, shape, p))) + ")",
        Filter.Comparison c when TextTable(shape, c.Entity) is { } table => Tag(sql, shape, table, c),
        Filter.Comparison c when shape.Metrics is { } metrics && IsMetric(c.Entity) => c.Operator.IsOrder() && c.Value.Number is not null
            ? $"EXISTS (SELECT 1 {Metric(sql, shape, metrics, c.Key)} AND {sql.Compare("x.\"Value\"", c.Operator, c.Value)})"
            : throw FilterTokens.Wrong("a metric is compared with a number by =, !=, >, >=, < or <=", c.Position - 1),
        Filter.Comparison c => Attribute(sql, shape, c),
        _ => throw new InvalidOperationException(filter.GetType().Name),
    };

    private static string Tag(SqlText sql, TableShape shape, (string Table, string Column) table, Filter.Comparison c)
    {
        var row = $"EXISTS (SELECT 1 FROM {table.Table} x WHERE x.\"{table.Column}\" = r.\"Id\" AND x.\"Key\" = {sql.Value(c.Key)}";
        if (c.Operator is FilterOperator.IsNull or FilterOperator.IsNotNull)
            return $"{(c.Operator == FilterOperator.IsNull ? "NOT " : "")}{row})";
        EnsureText(c);
        if (c.Operator == FilterOperator.NotEqual && shape.TagsThatMayLack.Contains(c.Key))
            return $"NOT {row} AND {sql.Compare("x.\"Value\"", FilterOperator.Equal, c.Value)})";
        return $"{row} AND {sql.Compare("x.\"Value\"", c.Operator, c.Value)})";
    }

    private static string Attribute(SqlText sql, TableShape shape, Filter.Comparison c)
    {
        if (!IsAttribute(shape, c.Entity))
            throw FilterTokens.Wrong($"Invalid entity type '{TrackingKeys.Shown(c.Entity!)}'", c.Position - 1);
        if (!shape.Attributes.TryGetValue(c.Key.ToLowerInvariant(), out var column))
            throw FilterTokens.Wrong($"Invalid attribute key '{TrackingKeys.Shown(c.Key)}' specified; valid keys are {string.Join(", ", shape.Attributes.Keys)}, and tags with their prefix", c.Position - 1);
        if (column.Kind is SortKind.Text or SortKind.Id)
        {
            EnsureText(c);
            if (column.Kind == SortKind.Id)
                return Id(sql, column.Sql, c);
            return sql.Compare(column.Sql, c.Operator, c.Value);
        }
        if (!c.Operator.IsOrder() || c.Value.Number is not { } number)
            throw FilterTokens.Wrong($"'{c.Key}' is compared with a number by =, !=, >, >=, < or <=", c.Position - 1);
        return $"{column.Sql} {c.Operator.Text()} {sql.Value(number)}";
    }

    private static string Id(SqlText sql, string column, Filter.Comparison c)
    {
        if (c.Operator is FilterOperator.Like or FilterOperator.ILike)
            throw FilterTokens.Wrong($"'{c.Key}' takes =, !=, IN and NOT IN", c.Position - 1);
        var ids = (c.Value.List ?? [c.Value.Text!]).Select(t => Guid.TryParseExact(t.StartsWith(LoggedModel.IdStart, StringComparison.Ordinal) ? t[2..] : t, "N", out var id) ? id : (Guid?)null).OfType<Guid>().Cast<object>().ToList();
        var not = c.Operator is FilterOperator.NotIn or FilterOperator.NotEqual;
        return ids.Count == 0 ? (not ? "1 = 1" : "1 = 0") : $"{column} {(not ? "NOT IN" : "IN")} {sql.List(ids)}";
    }

    private static void EnsureText(Filter.Comparison c)
    {
        if (c.Operator is not (FilterOperator.Equal or FilterOperator.NotEqual or FilterOperator.Like or FilterOperator.ILike or FilterOperator.In or FilterOperator.NotIn))
            throw FilterTokens.Wrong($"Invalid comparator '{c.Operator.Text()}' for '{TrackingKeys.Shown(c.Key)}'; it takes =, !=, LIKE, ILIKE, IN and NOT IN", c.Position - 1);
        if (c.Value is { Text: null, List: null })
            throw FilterTokens.Wrong($"'{TrackingKeys.Shown(c.Key)}' is compared with a quoted text", c.Position - 1);
        if (c.Value.Text?.Length > 1000 && c.Operator is FilterOperator.Like or FilterOperator.ILike)
            throw FilterTokens.Wrong("a pattern has more than 1000 characters", c.Position - 1);
    }
}
