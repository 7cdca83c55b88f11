using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmOps.Lifecycle.Tracking.Journal;

/// <summary>
/// Moves the journal's points into the database: a few times a second, many requests in one transaction, in the order of the tables' keys. Whoever reads points waits for
/// those that were acknowledged before. Killed at any moment it loses nothing and doubles nothing: the journal forgets points after their commit, and points that come a
/// second time are left out because they are their own keys.
/// </summary>
public sealed partial class DrainJournal(IDbContextFactory<LlmOpsDb> dbs, PointJournal journal, DatabaseTurn turn, ILogger<DrainJournal> logger) : IAsyncDisposable
{
    /// <summary>How long points may wait while nobody asks for them.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(400);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private readonly Lock starting = new();
    private readonly SemaphoreSlim filled = new(0);
    private TaskCompletionSource? wanted;
    private TaskCompletionSource asked = New();
    private Task? drainer;
    private volatile bool ending;

    /// <summary>Finds what was left behind by a process that ended too early, and listens from now on.</summary>
    public void Start()
    {
        lock (starting)
        {
            if (drainer is not null)
                return;
            journal.Filled = () => filled.Release();
            drainer = Task.Run(DrainAllAsync);
        }
        journal.Open();
    }

    internal Task AppendAsync(LoggedPoints points, CancellationToken ct)
    {
        if (drainer is null)
            Start();
        return journal.AppendAsync(points, ct);
    }

    /// <summary>Returns when everything that was acknowledged before is in the database. Costs nothing when it is.</summary>
    public Task SettleAsync(CancellationToken ct = default)
    {
        if (!journal.HasPending)
            return Task.CompletedTask;
        lock (starting)
        {
            wanted ??= New();
            asked.TrySetResult();
            // also when it has just come to the end of what was pending, and would wait for more
            filled.Release();
            return wanted.Task.WaitAsync(ct);
        }
    }

    private async Task DrainAllAsync()
    {
        while (!ending || journal.HasPending)
        {
            await filled.WaitAsync();
            for (var clock = System.Diagnostics.Stopwatch.StartNew(); clock.Elapsed < Longest && !journal.HasMany && !asked.Task.IsCompleted && !ending;)
                await Task.WhenAny(asked.Task, Task.Delay(Look));
            TaskCompletionSource? settled;
            lock (starting)
                (settled, wanted, asked) = (wanted, null, New());
            try
            {
                // What an attempt before this one did not get into the database was sealed without the points that came since.
                var older = journal.HasSealed;
                while (journal.Seal() is { } batch)
                {
                    await WriteAsync(batch.Points);
                    journal.Release();
                    // The rest has come since; only a backlog is worth going on at once.
                    if (!older && !journal.HasMany && !ending)
                        break;
                    older = false;
                }
                settled?.SetResult();
                if (journal.HasPending)
                    filled.Release();
            }
            catch (Exception e)
            {
                NotDrained(logger, e);
                settled?.SetException(e);
                if (ending)
                    break;      // it stays in the journal
                await Task.Delay(Longest);
                filled.Release();
            }
        }
    }

    private async Task WriteAsync(List<LoggedPoints> points)
    {
        var (rows, newest) = SortPoints.Sort(points);
        using var mine = await turn.TakeAsync();
        await using var db = await dbs.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        // A run may be gone for good since it was logged to.
        Guid[] ids = [.. points.Select(p => p.RunId).Distinct()];
        var runs = (await db.Runs.AsNoTracking().Where(r => ids.Contains(r.Id)).Select(r => r.Id).ToListAsync()).ToHashSet();
        if (runs.Count < ids.Length)
        {
            rows.RemoveAll(p => !runs.Contains(p.RunId));
            newest.RemoveAll(p => !runs.Contains(p.RunId));
        }
        await WritePoints.WriteAsync(db, rows, CancellationToken.None);
        await WritePoints.WriteNewestAsync(db, newest, CancellationToken.None);
        await transaction.CommitAsync();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask DisposeAsync()
    {
        ending = true;
        filled.Release();
        if (drainer is { } running)
            await running;
        await journal.DisposeAsync();
        filled.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Logged points could not be written to the database. They are safe in the journal and tried again.")]
    private static partial void NotDrained(ILogger logger, Exception exception);
}

/// <summary>Reads the journal before the first request is answered.</summary>
public sealed class ReplayJournal(DrainJournal drain) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        drain.Start();
        return drain.SettleAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => drain.SettleAsync(cancellationToken);
}
