using Microsoft.Data.Sqlite;
using NpgsqlTypes;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>The columns of a span, once, for both databases.</summary>
internal static class SpanColumns
{
    /// <param name="Value">Of one span.</param>
    /// <param name="Values">Of many, as an array of the column's own type.</param>
    internal sealed record Column(string Name, NpgsqlDbType Postgres, SqliteType Sqlite, Func<Span, object?> Value, Func<List<Span>, Array> Values);

    public static IReadOnlyList<Column> All { get; } =
    [
        Text("TraceId", s => s.TraceId), Text("SpanId", s => s.SpanId), Text("ParentSpanId", s => s.ParentSpanId), Text("Name", s => s.Name), Text("Kind", s => s.Kind),
        Text("DeploymentName", s => s.DeploymentName), Text("RevisionName", s => s.RevisionName),
        Of("StartedAt", NpgsqlDbType.Bigint, SqliteType.Integer, s => s.StartedAt.ToUnixTimeMilliseconds()),
        // What this server measured itself has its fraction in the time.
        Of("StartedNanos", NpgsqlDbType.Integer, SqliteType.Integer, s => (int)(s.StartUnixNanos() % 1_000_000)), Real("DurationMs", s => s.DurationMs),
        Whole("InputTokens", s => s.InputTokens), Whole("OutputTokens", s => s.OutputTokens), Real("FirstTokenMs", s => s.FirstTokenMs),
        Text("Input", s => s.Input), Text("Output", s => s.Output), Text("AttributesJson", s => s.AttributesJson), Text("Error", s => s.Error), Text("UserName", s => s.UserName),
        Text("ServiceName", s => s.ServiceName), Text("SessionId", s => s.SessionId), Text("Provider", s => s.Provider), Text("Model", s => s.Model),
        Whole("CacheReadTokens", s => s.CacheReadTokens), Whole("CacheWriteTokens", s => s.CacheWriteTokens), Real("CostUsd", s => s.CostUsd),
        Of("TokensDisagree", NpgsqlDbType.Boolean, SqliteType.Integer, s => s.TokensDisagree),
    ];

    public static string Names { get; } = string.Join(", ", All.Select(c => $"\"{c.Name}\""));

    // PostgreSQL takes no NUL in a text, and nobody reads one.
    private static Column Text(string name, Func<Span, string?> value) =>
        Of(name, NpgsqlDbType.Text, SqliteType.Text, s => value(s) is { } text ? text.Contains('\0', StringComparison.Ordinal) ? text.Replace("\0", "", StringComparison.Ordinal) : text : null);

    private static Column Whole(string name, Func<Span, int?> value) => Of(name, NpgsqlDbType.Integer, SqliteType.Integer, value);

    private static Column Real(string name, Func<Span, double?> value) => Of(name, NpgsqlDbType.Double, SqliteType.Real, value);

    private static Column Of<T>(string name, NpgsqlDbType postgres, SqliteType sqlite, Func<Span, T> value) => new(name, postgres, sqlite, s => value(s), spans => spans.ConvertAll(s => value(s)).ToArray());
}
