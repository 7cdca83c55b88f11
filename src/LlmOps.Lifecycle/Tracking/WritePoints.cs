using LlmOps.Lifecycle.Data;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using NpgsqlTypes;

namespace LlmOps.Lifecycle.Tracking;

/// <param name="At">Unix milliseconds.</param>
internal readonly record struct PointRow(Guid RunId, Guid ExperimentId, string Key, long Step, long At, double Value, bool IsNan);

/// <summary>
/// Adds points to the curves and brings the newest values up to date, in the transaction that is open. A point that is stored already is left out: whoever sends a
/// request again after a lost answer doubles nothing.
/// </summary>
internal static class WritePoints
{
    private const string Newest = """
        ON CONFLICT ("RunId", "Key") DO UPDATE SET "Value" = excluded."Value", "IsNan" = excluded."IsNan", "Step" = excluded."Step", "At" = excluded."At"
        WHERE (excluded."At", excluded."Step", excluded."Value") > (latest_metrics."At", latest_metrics."Step", latest_metrics."Value")
        """;

    public static async Task WriteAsync(LlmOpsDb db, List<PointRow> points, CancellationToken ct)
    {
        var latest = new Dictionary<(Guid, string), PointRow>();
        foreach (var point in points)
        {
            ref var row = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(latest, (point.RunId, point.Key), out var known);
            if (!known || (row.At, row.Step, row.Value).CompareTo((point.At, point.Step, point.Value)) < 0)
                row = point;
        }
        // In one order everywhere: two processes that write to one run then wait for each other instead of locking each other out.
        var newest = latest.Values.OrderBy(p => p.RunId).ThenBy(p => p.Key, StringComparer.Ordinal).ToList();
        var transaction = db.Database.CurrentTransaction!.GetDbTransaction();
        if (db.Database.IsSqlite())
            WriteSqlite((SqliteConnection)db.Database.GetDbConnection(), (SqliteTransaction)transaction, points, newest);
        else
            await WritePostgresAsync((NpgsqlConnection)db.Database.GetDbConnection(), (NpgsqlTransaction)transaction, points, newest, ct);
    }

    private static void WriteSqlite(SqliteConnection connection, SqliteTransaction transaction, List<PointRow> points, List<PointRow> newest)
    {
        using (var insert = connection.CreateCommand())
        {
            insert.Transaction = transaction;
            insert.CommandText = """INSERT OR IGNORE INTO metrics ("RunId", "Key", "Step", "At", "Value", "IsNan") VALUES ($run, $key, $step, $at, $value, $nan)""";
            Execute(insert, points, withExperiment: false);
        }
        using var upsert = connection.CreateCommand();
        upsert.Transaction = transaction;
        upsert.CommandText = """INSERT INTO latest_metrics ("RunId", "Key", "Step", "At", "Value", "IsNan", "ExperimentId") VALUES ($run, $key, $step, $at, $value, $nan, $experiment) """ + Newest;
        Execute(upsert, newest, withExperiment: true);
    }

    private static void Execute(SqliteCommand command, List<PointRow> rows, bool withExperiment)
    {
        var run = command.Parameters.Add("$run", SqliteType.Text);
        var key = command.Parameters.Add("$key", SqliteType.Text);
        var step = command.Parameters.Add("$step", SqliteType.Integer);
        var at = command.Parameters.Add("$at", SqliteType.Integer);
        var value = command.Parameters.Add("$value", SqliteType.Real);
        var nan = command.Parameters.Add("$nan", SqliteType.Integer);
        var experiment = withExperiment ? command.Parameters.Add("$experiment", SqliteType.Text) : null;
        command.Prepare();
        var last = Guid.Empty;
        foreach (var row in rows)
        {
            if (row.RunId != last)
            {
                // the form in which the provider itself writes a Guid
                run.Value = row.RunId.ToString().ToUpperInvariant();
                experiment?.Value = row.ExperimentId.ToString().ToUpperInvariant();
                last = row.RunId;
            }
            key.Value = row.Key;
            step.Value = row.Step;
            at.Value = row.At;
            value.Value = row.Value;
            nan.Value = row.IsNan ? 1L : 0L;
            command.ExecuteNonQuery();
        }
    }

    private static async Task WritePostgresAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, List<PointRow> points, List<PointRow> newest, CancellationToken ct)
    {
        await using (var insert = new NpgsqlCommand("""
            INSERT INTO metrics ("RunId", "Key", "Step", "At", "Value", "IsNan") SELECT * FROM unnest(@run, @key, @step, @at, @value, @nan) ON CONFLICT DO NOTHING
            """, connection, transaction))
        {
            Add(insert, points);
            await insert.ExecuteNonQueryAsync(ct);
        }
        await using var upsert = new NpgsqlCommand("""
            INSERT INTO latest_metrics ("RunId", "Key", "Step", "At", "Value", "IsNan", "ExperimentId") SELECT * FROM unnest(@run, @key, @step, @at, @value, @nan, @experiment)
            """ + " " + Newest, connection, transaction);
        Add(upsert, newest);
        upsert.Parameters.AddWithValue("experiment", NpgsqlDbType.Array | NpgsqlDbType.Uuid, newest.Select(p => p.ExperimentId).ToArray());
        await upsert.ExecuteNonQueryAsync(ct);
    }

    // Arrays travel in the binary form of COPY, and unlike a COPY the statement may leave out what is there.
    private static void Add(NpgsqlCommand command, List<PointRow> rows)
    {
        command.Parameters.AddWithValue("run", NpgsqlDbType.Array | NpgsqlDbType.Uuid, rows.Select(p => p.RunId).ToArray());
        command.Parameters.AddWithValue("key", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(p => p.Key).ToArray());
        command.Parameters.AddWithValue("step", NpgsqlDbType.Array | NpgsqlDbType.Bigint, rows.Select(p => p.Step).ToArray());
        command.Parameters.AddWithValue("at", NpgsqlDbType.Array | NpgsqlDbType.Bigint, rows.Select(p => p.At).ToArray());
        command.Parameters.AddWithValue("value", NpgsqlDbType.Array | NpgsqlDbType.Double, rows.Select(p => p.Value).ToArray());
        command.Parameters.AddWithValue("nan", NpgsqlDbType.Array | NpgsqlDbType.Boolean, rows.Select(p => p.IsNan).ToArray());
    }
}
