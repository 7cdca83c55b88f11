using System.Threading.Channels;
using LlmOps.Lifecycle.Data;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using NpgsqlTypes;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>
/// Group commit: batches that arrive while one transaction is being written go into the next one together, and each caller hears of it after the commit that holds its
/// spans. A span is its own key, so a batch that is sent again, or sent twice at once, stores nothing twice.
/// </summary>
public sealed class WriteSpans(IDbContextFactory<LlmOpsDb> dbs, DatabaseTurn turn) : IAsyncDisposable
{
    private const int MostSpans = 20_000, LongestQueue = 1024;
    // A writer that has fallen behind makes its callers wait instead of filling the memory.
    private readonly Channel<Waiting> queue = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(LongestQueue) { SingleReader = true });
    private readonly Lock starting = new();
    private Task? writer;

    /// <summary>Returns after the commit, with how many of them are new.</summary>
    public async Task<int> WriteAsync(IReadOnlyCollection<Span> spans, CancellationToken ct = default)
    {
        lock (starting)
            writer ??= Task.Run(WriteAllAsync, CancellationToken.None);
        var waiting = new Waiting(spans);
        await queue.Writer.WriteAsync(waiting, ct);
        return await waiting.Done.Task;
    }

    private async Task WriteAllAsync()
    {
        var group = new List<Waiting>();
        while (await queue.Reader.WaitToReadAsync())
        {
            var spans = 0;
            while (spans < MostSpans && queue.Reader.TryRead(out var next))
            {
                group.Add(next);
                spans += next.Spans.Count;
            }
            await WriteAsync(group);
            group.Clear();
        }
    }

    private async Task WriteAsync(List<Waiting> group)
    {
        try
        {
            // The first of two that are the same stands; both senders are told that it is there.
            var fresh = new Dictionary<(string, string), Span>();
            foreach (var span in group.SelectMany(w => w.Spans))
                fresh.TryAdd((span.TraceId, span.SpanId), span);
            var added = await CommitAsync([.. fresh.Values]);
            foreach (var waiting in group)
                waiting.Done.SetResult(waiting.Spans.Count(s => added.Remove((s.TraceId, s.SpanId))));
        }
        catch (Exception) when (group.Count > 1)
        {
            // What the database does not take must not take the others with it.
            foreach (var waiting in group)
                await WriteAsync([waiting]);
        }
        catch (Exception e)
        {
            group[0].Done.SetException(e);
        }
    }

    private async Task<HashSet<(string, string)>> CommitAsync(List<Span> spans)
    {
        using var mine = await turn.TakeAsync();
        await using var db = await dbs.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        var added = db.Database.IsSqlite()
            ? WriteSqlite((SqliteConnection)db.Database.GetDbConnection(), (SqliteTransaction)transaction.GetDbTransaction(), spans)
            : await WritePostgresAsync((NpgsqlConnection)db.Database.GetDbConnection(), (NpgsqlTransaction)transaction.GetDbTransaction(), spans);
        await transaction.CommitAsync();
        return added;
    }

    private static HashSet<(string, string)> WriteSqlite(SqliteConnection connection, SqliteTransaction transaction, List<Span> spans)
    {
        using var insert = connection.CreateCommand();
        insert.Transaction = transaction;
        insert.CommandText = $"INSERT OR IGNORE INTO spans ({SpanColumns.Names}) VALUES ({string.Join(", ", SpanColumns.All.Select(c => "$" + c.Name))})";
        var parameters = SpanColumns.All.Select(c => insert.Parameters.Add("$" + c.Name, c.Sqlite)).ToArray();
        insert.Prepare();
        var added = new HashSet<(string, string)>();
        foreach (var span in spans)
        {
            for (var i = 0; i < parameters.Length; i++)
                parameters[i].Value = SpanColumns.All[i].Value(span) ?? DBNull.Value;
            if (insert.ExecuteNonQuery() > 0)
                added.Add((span.TraceId, span.SpanId));
        }
        return added;
    }

    private static async Task<HashSet<(string, string)>> WritePostgresAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, List<Span> spans)
    {
        // Arrays travel in the binary form of COPY, and unlike a COPY the statement may leave out what is there.
        await using var insert = new NpgsqlCommand($"""
            INSERT INTO spans ({SpanColumns.Names}) SELECT * FROM unnest({string.Join(", ", SpanColumns.All.Select(c => "@" + c.Name))}) ON CONFLICT DO NOTHING RETURNING "TraceId", "SpanId"
            """, connection, transaction);
        // In one order everywhere: two processes that get the same batch then wait for each other instead of locking each other out.
        spans.Sort((a, b) => string.CompareOrdinal(a.TraceId, b.TraceId) is not 0 and var order ? order : string.CompareOrdinal(a.SpanId, b.SpanId));
        foreach (var column in SpanColumns.All)
            insert.Parameters.AddWithValue(column.Name, NpgsqlDbType.Array | column.Postgres, column.Values(spans));
        var added = new HashSet<(string, string)>();
        await using var rows = await insert.ExecuteReaderAsync();
        while (await rows.ReadAsync())
            added.Add((rows.GetString(0), rows.GetString(1)));
        return added;
    }

    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        if (writer is { } running)
            await running;
    }

    private sealed class Waiting(IReadOnlyCollection<Span> spans)
    {
        public IReadOnlyCollection<Span> Spans => spans;
        public TaskCompletionSource<int> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
