using LlmOps.Lifecycle.Data;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using NpgsqlTypes;
using SQLitePCL;

namespace LlmOps.Lifecycle.Tracking;

/// <param name="At">Unix milliseconds.</param>
internal readonly record struct PointRow(Guid RunId, Guid ExperimentId, string Key, long Step, long At, double Value, bool IsNan);

/// <summary>
/// Adds points to the curves, or brings the newest values up to date, in the transaction that is open. A point that is stored already is left out: whoever sends a
/// request again after a lost answer doubles nothing.
/// </summary>
internal static class WritePoints
{
    private const int PagesBeforeCopying = 16_000;

    private const string Newest = """
        ON CONFLICT ("RunId", "Key") DO UPDATE SET "Value" = excluded."Value", "IsNan" = excluded."IsNan", "Step" = excluded."Step", "At" = excluded."At"
        WHERE (excluded."At", excluded."Step", excluded."Value") > (latest_metrics."At", latest_metrics."Step", latest_metrics."Value")
        """;

    /// <param name="points">Each once, best in the order of the key.</param>
    public static async Task WriteAsync(LlmOpsDb db, List<PointRow> points, CancellationToken ct)
    {
        if (points.Count == 0)
            return;
        if (db.Database.IsSqlite())
            WriteSqlite(db, """INSERT OR IGNORE INTO metrics ("RunId", "Key", "Step", "At", "Value", "IsNan") VALUES (?1, ?2, ?3, ?4, ?5, ?6)""", points, withExperiment: false);
        else
            await CopyPostgresAsync(db, points, ct);
    }

    /// <param name="newest">One of each run and key, in their order.</param>
    public static async Task WriteNewestAsync(LlmOpsDb db, List<PointRow> newest, CancellationToken ct)
    {
        if (newest.Count == 0)
            return;
        if (db.Database.IsSqlite())
            WriteSqlite(db, """INSERT INTO latest_metrics ("RunId", "Key", "Step", "At", "Value", "IsNan", "ExperimentId") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) """ + Newest, newest, withExperiment: true);
        else
            await WritePostgresAsync(db, """
                INSERT INTO latest_metrics ("RunId", "Key", "Step", "At", "Value", "IsNan", "ExperimentId") SELECT * FROM unnest(@run, @key, @step, @at, @value, @nan, @experiment)
                """ + " " + Newest, newest, withExperiment: true, ct);
    }

    /// <summary>By the functions of SQLite itself: the objects of the provider cost as much for each row as SQLite does.</summary>
    private static void WriteSqlite(LlmOpsDb db, string sql, List<PointRow> rows, bool withExperiment)
    {
        var connection = ((SqliteConnection)db.Database.GetDbConnection()).Handle!;
        // The newest points of a hundred curves lie on a hundred pages, and the next batch changes the same ones: they are copied into the database once for many commits.
        raw.sqlite3_wal_autocheckpoint(connection, PagesBeforeCopying);
        Check(raw.sqlite3_prepare_v2(connection, sql, out var statement), connection);
        using (statement)
        {
            var (last, lastKey) = (Guid.Empty, "");
            foreach (var row in rows)
            {
                if (row.RunId != last)
                {
                    // the form in which the provider writes a Guid
                    raw.sqlite3_bind_text(statement, 1, row.RunId.ToString().ToUpperInvariant());
                    if (withExperiment)
                        raw.sqlite3_bind_text(statement, 7, row.ExperimentId.ToString().ToUpperInvariant());
                    last = row.RunId;
                }
                if (row.Key != lastKey)
                    raw.sqlite3_bind_text(statement, 2, lastKey = row.Key);
                raw.sqlite3_bind_int64(statement, 3, row.Step);
                raw.sqlite3_bind_int64(statement, 4, row.At);
                raw.sqlite3_bind_double(statement, 5, row.Value);
                raw.sqlite3_bind_int(statement, 6, row.IsNan ? 1 : 0);
                var result = raw.sqlite3_step(statement);
                if (result != raw.SQLITE_DONE)
                    Check(result, connection);
                raw.sqlite3_reset(statement);
            }
        }
    }

    private static void Check(int result, sqlite3 connection)
    {
        if (result != raw.SQLITE_OK)
            SqliteException.ThrowExceptionForRC(result, connection);
    }

    /// <summary>A COPY costs the least, and ends at the first point that is stored already; then all go by a statement that leaves out what is there.</summary>
    private static async Task CopyPostgresAsync(LlmOpsDb db, List<PointRow> points, CancellationToken ct)
    {
        const string Before = "before_copy";
        var transaction = db.Database.CurrentTransaction!;
        await transaction.CreateSavepointAsync(Before, ct);
        try
        {
            await using var copy = await ((NpgsqlConnection)db.Database.GetDbConnection()).BeginBinaryImportAsync("""COPY metrics ("RunId", "Key", "Step", "At", "Value", "IsNan") FROM STDIN (FORMAT BINARY)""", ct);
            foreach (var p in points)
            {
                await copy.StartRowAsync(ct);
                await copy.WriteAsync(p.RunId, NpgsqlDbType.Uuid, ct);
                await copy.WriteAsync(p.Key, NpgsqlDbType.Text, ct);
                await copy.WriteAsync(p.Step, NpgsqlDbType.Bigint, ct);
                await copy.WriteAsync(p.At, NpgsqlDbType.Bigint, ct);
                await copy.WriteAsync(p.Value, NpgsqlDbType.Double, ct);
                await copy.WriteAsync(p.IsNan, NpgsqlDbType.Boolean, ct);
            }
            await copy.CompleteAsync(ct);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            await transaction.RollbackToSavepointAsync(Before, ct);
            await WritePostgresAsync(db, """
                INSERT INTO metrics ("RunId", "Key", "Step", "At", "Value", "IsNan") SELECT * FROM unnest(@run, @key, @step, @at, @value, @nan) ON CONFLICT DO NOTHING
                """, points, withExperiment: false, ct);
        }
    }

    // Arrays travel in the binary form of COPY, and unlike a COPY the statement may leave out what is there.
    private static async Task WritePostgresAsync(LlmOpsDb db, string sql, List<PointRow> rows, bool withExperiment, CancellationToken ct)
    {
#pragma warning disable CA2100      // constants of this class
        await using var command = new NpgsqlCommand(sql, (NpgsqlConnection)db.Database.GetDbConnection(), (NpgsqlTransaction)db.Database.CurrentTransaction!.GetDbTransaction());
#pragma warning restore CA2100
        command.Parameters.AddWithValue("run", NpgsqlDbType.Array | NpgsqlDbType.Uuid, rows.Select(p => p.RunId).ToArray());
        command.Parameters.AddWithValue("key", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(p => p.Key).ToArray());
        command.Parameters.AddWithValue("step", NpgsqlDbType.Array | NpgsqlDbType.Bigint, rows.Select(p => p.Step).ToArray());
        command.Parameters.AddWithValue("at", NpgsqlDbType.Array | NpgsqlDbType.Bigint, rows.Select(p => p.At).ToArray());
        command.Parameters.AddWithValue("value", NpgsqlDbType.Array | NpgsqlDbType.Double, rows.Select(p => p.Value).ToArray());
        command.Parameters.AddWithValue("nan", NpgsqlDbType.Array | NpgsqlDbType.Boolean, rows.Select(p => p.IsNan).ToArray());
        if (withExperiment)
            command.Parameters.AddWithValue("experiment", NpgsqlDbType.Array | NpgsqlDbType.Uuid, rows.Select(p => p.ExperimentId).ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }
}
