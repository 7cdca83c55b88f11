using System.Data.Common;
using System.Globalization;

namespace LlmOps.Lifecycle.Tracking.Search;

internal enum SortKind { Whole, Number, Text, Id }

/// <summary>One column that a page is ordered by. It is never null, so that the next page can begin behind its last value.</summary>
internal sealed record SortColumn(string Sql, bool Descending, SortKind Kind);

/// <summary>Order, and the place behind which a page begins.</summary>
internal static class SortColumns
{
    public static string Select(IReadOnlyList<SortColumn> columns) => string.Join(", ", columns.Select((c, i) => string.Create(CultureInfo.InvariantCulture, $"{c.Sql} AS c{i}")));

    public static string OrderBy(IReadOnlyList<SortColumn> columns) => string.Join(", ", columns.Select(c => c.Sql + (c.Descending ? " DESC" : "")));

    public static List<string> Read(DbDataReader reader, IReadOnlyList<SortColumn> columns) => [.. columns.Select((c, i) => c.Kind switch
    {
        SortKind.Whole => reader.GetInt64(i).ToString(CultureInfo.InvariantCulture),
        SortKind.Number => reader.GetDouble(i).ToString("R", CultureInfo.InvariantCulture),
        SortKind.Id => reader.GetGuid(i).ToString("N"),
        _ => reader.GetString(i),
    })];

    /// <summary>(a &lt; x) or (a = x and b &gt; y) …; the first column alone once more, because an index understands that.</summary>
    public static string Behind(SqlText sql, IReadOnlyList<SortColumn> columns, List<string> values)
    {
        if (values.Count != columns.Count)
            throw LlmOpsException.Invalid("Invalid page token. It belongs to another order_by; begin again without a token.");
        var names = columns.Zip(values).Select(p => sql.Value(Parse(p.Second, p.First.Kind))).ToList();
        var chain = columns.Select((c, i) => "(" + string.Join(" AND ", columns.Take(i).Select((before, j) => $"{before.Sql} = {names[j]}").Append($"{c.Sql} {(c.Descending ? "<" : ">")} {names[i]}")) + ")");
        return $"{columns[0].Sql} {(columns[0].Descending ? "<=" : ">=")} {names[0]} AND ({string.Join(" OR ", chain)})";
    }

    private static object Parse(string? text, SortKind kind)
    {
        if (kind == SortKind.Whole && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
            return whole;
        if (kind == SortKind.Number && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && !double.IsNaN(number))
            return number;
        if (kind == SortKind.Id && Guid.TryParseExact(text, "N", out var id))
            return id;
        return kind == SortKind.Text && text is not null && TrackingLimits.IsStorable(text) ? text : throw LlmOpsException.Invalid("Invalid page token. Send the next_page_token of the answer before, or none for the first page.");
    }
}
