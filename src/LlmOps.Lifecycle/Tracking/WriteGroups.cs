using System.Threading.Channels;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking.Journal;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>
/// Group commit: what arrives while one transaction is being written goes into the next one together. Each caller hears of success after the commit that holds its
/// batch and not before, so nothing that was acknowledged is lost with the process; and a batch that is sent again stores nothing twice, because points are their own
/// keys, and parameters and tags have one value. Batches of nothing but points, which nearly all are, go to the <see cref="PointJournal"/>.
/// </summary>
public sealed class WriteGroups(IDbContextFactory<LlmOpsDb> dbs, DrainJournal drain, KnownRuns runs, DatabaseTurn turn) : IAsyncDisposable
{
    private const int MostBatches = 256, MostPoints = 50_000, LongestQueue = 4096;
    // A writer that has fallen far behind makes its callers wait instead of filling the memory.
    private readonly Channel<Waiting> queue = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(LongestQueue) { SingleReader = true });
    private readonly Lock starting = new();
    private Task? writer;

    /// <summary>Returns when the batch is in the database, or safe in the journal.</summary>
    public async Task WriteAsync(LogBatch batch, CancellationToken ct = default)
    {
        if (batch.IsPointsOnly)
        {
            var experiment = await runs.ExperimentOfAsync(batch.RunId, ct);
            if (batch.Metrics.Count > 0)
                await drain.AppendAsync(new(batch.RunId, experiment, batch.Metrics), ct);
        }
        else
            await QueueAsync(new Waiting(batch, null), ct);
    }

    /// <summary>Any other small change, committed together with what else is waiting. It may be carried out twice: when the group fails, each part is tried again alone.</summary>
    public async Task<T> WriteAsync<T>(Func<LlmOpsDb, Task<T>> change, CancellationToken ct = default)
    {
        T made = default!;
        await QueueAsync(new Waiting(null, async db => made = await change(db)), ct);
        return made;
    }

    /// <summary>Returns when everything that was acknowledged before is in the database. Costs nothing when it is.</summary>
    public Task SettleAsync(CancellationToken ct = default) => drain.SettleAsync(ct);

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
        while (await queue.Reader.WaitToReadAsync())
        {
            var points = 0;
            while (group.Count < MostBatches && points < MostPoints && queue.Reader.TryRead(out var next))
            {
                group.Add(next);
                points += next.Batch?.Metrics.Count ?? 0;
            }
            await WriteAsync(group);
            group.Clear();
        }
    }

    private async Task WriteAsync(List<Waiting> group)
    {
        try
        {
            var refusals = await CommitAsync(group);
            for (var i = 0; i < group.Count; i++)
                group[i].End(refusals[i]);
        }
        catch (Exception) when (group.Count > 1)
        {
            // What the database does not take must not take the others with it.
            foreach (var waiting in group)
                await WriteAsync([waiting]);
        }
        catch (Exception e)
        {
            group[0].End(e);
        }
    }

    /// <summary>One transaction. The answer has a refusal, or null, for each part of the group.</summary>
    private async Task<Exception?[]> CommitAsync(List<Waiting> group)
    {
        var refusals = new Exception?[group.Count];
        using var mine = await turn.TakeAsync();
        await using var db = await dbs.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        foreach (var (i, waiting) in group.Index().Where(w => w.Item.Change is not null))
            refusals[i] = await ChangeAsync(db, transaction, waiting.Change!);
        var batches = group.Index().Where(w => w.Item.Batch is not null).ToList();
        if (batches.Count > 0)
        {
            var refused = await WriteBatches.WriteAsync(db, [.. batches.Select(b => b.Item.Batch!)], CancellationToken.None);
            foreach (var (at, refusal) in refused.Index())
                refusals[batches[at].Index] = refusal;
        }
        await transaction.CommitAsync();
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
