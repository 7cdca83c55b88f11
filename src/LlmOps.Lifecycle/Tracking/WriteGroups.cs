using System.Diagnostics;
using System.Threading.Channels;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>
/// Group commit: what arrives while one transaction is being written goes into the next one together. Each caller hears of success after the commit that holds its
/// batch and not before, so nothing that was acknowledged is lost with the process; and a batch that is sent again stores nothing twice, because points are their own
/// keys, and parameters and tags have one value.
/// </summary>
public sealed class WriteGroups(IDbContextFactory<LlmOpsDb> dbs) : IAsyncDisposable
{
    private const int MostBatches = 256, MostPoints = 50_000, LongestQueue = 4096;
    // A writer that has fallen far behind makes its callers wait instead of filling the memory.
    private readonly Channel<Waiting> queue = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(LongestQueue) { SingleReader = true });
    private readonly Lock starting = new();
    private readonly NewestValues newest = new();
    private volatile bool unsettled;
    private Task? writer;

    /// <summary>Returns after the commit.</summary>
    public async Task WriteAsync(LogBatch batch, CancellationToken ct = default)
    {
        await QueueAsync(new Waiting(batch, null), ct);
    }

    /// <summary>Any other small change, committed together with what else is waiting. It may be carried out twice: when the group fails, each part is tried again alone.</summary>
    public async Task<T> WriteAsync<T>(Func<LlmOpsDb, Task<T>> change, CancellationToken ct = default)
    {
        T made = default!;
        await QueueAsync(new Waiting(null, async db => made = await change(db)), ct);
        return made;
    }

    /// <summary>Returns when the newest values of what was acknowledged before are written, too. Costs nothing when they are.</summary>
    public Task SettleAsync(CancellationToken ct = default) => unsettled ? WriteAsync(_ => Task.FromResult(true), ct) : Task.CompletedTask;

    private async Task QueueAsync(Waiting waiting, CancellationToken ct)
    {
        lock (starting)
            writer ??= Task.Run(WriteAllAsync, CancellationToken.None);
        await queue.Writer.WriteAsync(waiting, ct);
        // A caller that goes away does not take its change with it: it may be half-way into the database.
        await waiting.Done.Task;
    }

    private async Task WriteAllAsync()
    {
        var group = new List<Waiting>();
        var settled = Stopwatch.StartNew();
        for (var open = true; ;)
        {
            open = await WaitAsync(settled);
            var points = 0;
            while (group.Count < MostBatches && points < MostPoints && queue.Reader.TryRead(out var next))
            {
                group.Add(next);
                points += next.Batch?.Metrics.Count ?? 0;
            }
            // Whoever reads or changes something gets to see the newest values.
            var settle = newest.Count > 0 && (!open || settled.Elapsed >= NewestValues.Longest || group.Any(w => w.Change is not null));
            await WriteAsync(group, settle);
            group.Clear();
            if (newest.Count == 0)
                settled.Restart();
            if (!open)
                break;      // what could not be written now is worked out when the server starts
        }
    }

    /// <summary>Until somebody waits, or newest values have waited long enough; false when there will be no more.</summary>
    private async Task<bool> WaitAsync(Stopwatch settled)
    {
        var wait = queue.Reader.WaitToReadAsync().AsTask();
        if (newest.Count == 0)
            return await wait;
        var left = NewestValues.Longest - settled.Elapsed;
        if (!wait.IsCompleted && left > TimeSpan.Zero)
            await Task.WhenAny(wait, Task.Delay(left));
        return !wait.IsCompleted || await wait;
    }

    private async Task WriteAsync(List<Waiting> group, bool settle)
    {
        try
        {
            var refusals = await CommitAsync(group, settle);
            for (var i = 0; i < group.Count; i++)
                group[i].End(refusals[i]);
        }
        catch (Exception) when (group.Count > 1 || (group.Count == 1 && settle))
        {
            // What the database does not take must not take the others with it.
            foreach (var waiting in group)
                await WriteAsync([waiting], settle: false);
        }
        catch (Exception e) when (group.Count == 1)
        {
            group[0].End(e);
        }
        catch (Exception)
        {
            // Only newest values: they stay for the next time. A database that is away is no reason to spin.
            await Task.Delay(NewestValues.Longest);
        }
    }

    /// <summary>One transaction. The answer has a refusal, or null, for each part of the group.</summary>
    private async Task<Exception?[]> CommitAsync(List<Waiting> group, bool settle)
    {
        var refusals = new Exception?[group.Count];
        if (group.Count == 0 && !settle)
            return refusals;
        List<PointRow> later = [];
        await using var db = await dbs.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        if (settle)
            await WritePoints.WriteNewestAsync(db, newest.Rows(), CancellationToken.None);
        foreach (var (i, waiting) in group.Index().Where(w => w.Item.Change is not null))
            refusals[i] = await ChangeAsync(db, transaction, waiting.Change!);
        var batches = group.Index().Where(w => w.Item.Batch is not null).ToList();
        if (batches.Count > 0)
        {
            var written = await WriteBatches.WriteAsync(db, [.. batches.Select(b => b.Item.Batch!)], CancellationToken.None);
            foreach (var (at, refusal) in written.Refusals.Index())
                refusals[batches[at].Index] = refusal;
            later = written.Later;
        }
        await transaction.CommitAsync();
        if (settle)
            newest.Clear();
        newest.Add(later);
        unsettled = newest.Count > 0;
        return refusals;
    }

    /// <summary>A change that is refused leaves nothing behind, and the others in its group stand.</summary>
    private static async Task<Exception?> ChangeAsync(LlmOpsDb db, IDbContextTransaction transaction, Func<LlmOpsDb, Task> change)
    {
        const string Before = "before_change";
        await transaction.CreateSavepointAsync(Before);
        try
        {
            await change(db);
            await transaction.ReleaseSavepointAsync(Before);
            return null;
        }
        catch (LlmOpsException e)
        {
            await transaction.RollbackToSavepointAsync(Before);
            return e;
        }
        finally
        {
            db.ChangeTracker.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        if (writer is { } running)
            await running;
    }

    private sealed class Waiting(LogBatch? batch, Func<LlmOpsDb, Task>? change)
    {
        public LogBatch? Batch => batch;
        public Func<LlmOpsDb, Task>? Change => change;
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void End(Exception? refusal)
        {
            if (refusal is null)
                Done.SetResult();
            else
                Done.SetException(refusal);
        }
    }
}
