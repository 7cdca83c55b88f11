using System.Data.Common;
using System.Globalization;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking.Search;

/// <summary>
/// A statement in the making. Its text consists of constants of this program; whatever a client sent becomes a parameter, and <see cref="Value"/> is the only way
/// in for it.
/// </summary>
internal sealed class SqlText(bool postgres)
{
    private static readonly string[] PlansOfAll = ["enable_sort", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_seqscan"];
    private readonly List<object> values = [];

    public bool IsPostgres => postgres;

    public IReadOnlyList<object> Values => values;

    /// <summary>How the run of a row is named in the statement: by the table that is read first, so that a condition is tried before other tables are looked at.</summary>
    public string RunId { get; init; } = "r.\"Id\"";

    /// <summary>The name of a parameter with this value.</summary>
    public string Value(object value)
    {
        values.Add(value);
        return string.Create(CultureInfo.InvariantCulture, $"@p{values.Count - 1}");
    }

    public string List(IEnumerable<object> items) => $"({string.Join(", ", items.Select(Value))})";

    public string In(string column, IReadOnlyList<Guid> ids) => ids.Count == 1 ? $"{column} = {Value(ids[0])}" : $"{column} IN {List(ids.Cast<object>())}";

    /// <summary>One of these ids, however many, with one parameter.</summary>
    public string OneOf(string column, IReadOnlyList<Guid> ids) => postgres ? $"{column} = ANY({Value(ids.ToArray())})"
        : $"{column} IN (SELECT value FROM json_each({Value("[" + string.Join(',', ids.Select(id => $"\"{id.ToString().ToUpperInvariant()}\"")) + "]")}))";

    /// <summary>Comparison of a text column. LIKE tells capitals apart and ILIKE does not, on both databases; % and _ are the only special characters.</summary>
    public string Compare(string column, FilterOperator op, FilterValue value) => op switch
    {
        FilterOperator.In => $"{column} IN {List(value.List!)}",
        FilterOperator.NotIn => $"{column} NOT IN {List(value.List!)}",
        FilterOperator.Like => postgres ? $"{column} LIKE {Value(value.Text!)} ESCAPE ''" : $"{column} GLOB {Value(Glob(value.Text!))}",
        FilterOperator.ILike => postgres ? $"{column} ILIKE {Value(value.Text!)} ESCAPE ''" : $"{column} LIKE {Value(value.Text!)}",
        _ => $"{column} {op.Text()} {Value((object?)value.Number ?? value.Text!)}",
    };

    /// <summary>The same for a text that is known already.</summary>
    public static bool Matches(string text, FilterOperator op, FilterValue value) => op switch
    {
        FilterOperator.Equal => text == value.Text,
        FilterOperator.NotEqual => text != value.Text,
        FilterOperator.In => value.List!.Contains(text),
        FilterOperator.NotIn => !value.List!.Contains(text),
        _ => Regex.IsMatch(text, "^" + Regex.Escape(value.Text!).Replace("%", ".*", StringComparison.Ordinal).Replace("_", ".", StringComparison.Ordinal) + "$",
            RegexOptions.NonBacktracking | RegexOptions.Singleline | (op == FilterOperator.ILike ? RegexOptions.IgnoreCase | RegexOptions.CultureInvariant : RegexOptions.None)),
    };

    /// <summary>Off means that a way is taken only where there is no other; code is never compiled for a statement that is over in milliseconds.</summary>
    private static string Planning(bool byIndex) => "SET LOCAL jit TO off; " + string.Concat(PlansOfAll.Select(plan => $"SET LOCAL {plan} TO {(byIndex ? "off" : "on")}; "));

    private static string Glob(string like) => string.Concat(like.Select(c => c switch { '%' => "*", '_' => "?", '*' => "[*]", '?' => "[?]", '[' => "[[]", _ => c.ToString() }));

    /// <param name="byIndex">
    /// True where an index has the rows in their order and few of them are wanted: PostgreSQL, which guesses numbers of rows and knows none of a table that has just grown, is
    /// not to read and sort them all. It holds for what is left of the transaction, and needs one there; null leaves it as it is.
    /// </param>
    public async Task<List<T>> ReadAsync<T>(LlmOpsDb db, string sql, Func<DbDataReader, T> row, CancellationToken ct, bool? byIndex = null)
    {
        await db.Database.OpenConnectionAsync(ct);
        try
        {
            await using var command = db.Database.GetDbConnection().CreateCommand();
#pragma warning disable CA2100      // constants and the names of parameters; see the summary
            command.CommandText = postgres && byIndex is { } way ? Planning(way) + sql : sql;
#pragma warning restore CA2100
            for (var i = 0; i < values.Count; i++)
            {
                var parameter = command.CreateParameter();
                parameter.ParameterName = string.Create(CultureInfo.InvariantCulture, $"@p{i}");
                parameter.Value = values[i];
                command.Parameters.Add(parameter);
            }
            await using var reader = await command.ExecuteReaderAsync(ct);
            var rows = new List<T>();
            while (await reader.ReadAsync(ct))
                rows.Add(row(reader));
            return rows;
        }
        finally
        {
            await db.Database.CloseConnectionAsync();
        }
    }
}
