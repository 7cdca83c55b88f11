using System.Diagnostics;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>
/// Stores finished rows in groups while the next batch is computed: a group is one transaction, of whole batches, at most a second old or a few dozen rows large.
/// What is not stored yet when the process is killed is measured again; nothing is stored twice, because a batch is in the database as a whole or not at all.
/// </summary>
public sealed class RowWriter(JobContext job) : IAsyncDisposable
{
    private const int Rows = 32;
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(1);
    private readonly Stopwatch age = Stopwatch.StartNew();
    private List<RowScore> waiting = [];
    private int items;
    private Task saving = Task.CompletedTask;

    public async Task AddAsync(IEnumerable<RowScore> scores, int count, CancellationToken ct)
    {
        waiting.AddRange(scores);
        items += count;
        if (items >= Rows || age.Elapsed > Age)
            await FlushAsync(ct);
    }

    /// <summary>Waits for the group before, then begins to store this one.</summary>
    public async Task FlushAsync(CancellationToken ct)
    {
        await saving;
        ct.ThrowIfCancellationRequested();
        if (waiting.Count == 0)
            return;
        var group = waiting;
        (waiting, items) = ([], 0);
        age.Restart();
        // Not cancelled: what is finished is kept, also when the run is not.
        saving = Task.Run(() => job.SaveAsync(db => { db.RowScores.AddRange(group); return Task.CompletedTask; }, CancellationToken.None), CancellationToken.None);
    }

    /// <summary>Keeps the finished rows of a run that was cancelled, stopped or failed.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await FlushAsync(CancellationToken.None);
            await saving;
        }
        catch (LeaseLostException)
        {
            // another worker has the job and measures these rows itself
        }
    }
}
