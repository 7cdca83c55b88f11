using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Sweeps;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmOps.Worker;

/// <summary>Claims jobs while there are free slots. Hints make it look sooner; without them it looks once in a poll interval.</summary>
public sealed class WorkerLoop(JobRunner runner, JobTransitions transitions, AdvancePipelines advance, AdvanceSweeps sweeps, IDbContextFactory<LlmOpsDb> dbs, LiveChanges changes,
    Hints hints, WorkerSettings settings, TimeProvider time, ILogger<WorkerLoop> log) : BackgroundService
{
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim wake = new(0);

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        using var owned = settings.OwnedDataFolder is { } folder ? DataFolderLock.Take(folder) : null;
        if (settings.OwnedDataFolder is { } mine && await transitions.GiveBackJobsOfDataFolderAsync(mine, stopping) is > 0 and var orphans)
            log.LogInformation("{Count} jobs of a process that ended without warning were queued again.", orphans);
        var node = await RegisterAsync(stopping);
        var offer = new WorkerOffer(node.Id, node.Name, settings.Provides.Split(','), node.MemoryBytes, settings.Lease);
        changes.JobReady += OnReady;
        changes.Connected += Wake;
        var running = new List<Task>();
        var lastSweep = DateTimeOffset.MinValue;
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                running.RemoveAll(t => t.IsCompleted);
                try
                {
                    if (time.GetUtcNow() - lastSweep > SweepEvery)
                    {
                        lastSweep = time.GetUtcNow();
                        await SweepAsync(node.Id, stopping);
                    }
                    if (running.Count < settings.Slots && await transitions.TryClaimAsync(offer, stopping) is { } job)
                    {
                        running.Add(Task.Run(() => runner.RunAsync(job, stopping), CancellationToken.None));
                        continue;
                    }
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    log.LogWarning("The database did not answer ({Message}); looking again in {Seconds} s.", e.Message, settings.Poll.TotalSeconds);
                }
                // A finished job frees a slot at once, a hint or the poll interval brings the next look.
                await Task.WhenAny([wake.WaitAsync(settings.Poll, stopping), .. running]);
            }
        }
        catch (OperationCanceledException)
        {
        }
        finally
        {
            changes.JobReady -= OnReady;
            changes.Connected -= Wake;
            await Task.WhenAll(running);
            await LeaveAsync(node.Id);
        }
    }

    private void OnReady(JobReady ready) => Wake();

    private void Wake()
    {
        if (wake.CurrentCount == 0)
            wake.Release();
    }

    private async Task<WorkerNode> RegisterAsync(CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var node = new WorkerNode
        {
            Name = settings.Name, Host = Environment.MachineName, ProcessId = Environment.ProcessId, Slots = settings.Slots, Provides = settings.Provides,
            MemoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, DataFolder = settings.OwnedDataFolder, StartedAt = now, HeartbeatAt = now,
        };
        db.Workers.Add(node);
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Worker, node.Id);
        return node;
    }

    /// <summary>The worker's own heartbeat, and the sweeps: with Hangfire in another process or absent, they still happen.</summary>
    private async Task SweepAsync(Guid nodeId, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        await db.Workers.Where(w => w.Id == nodeId).ExecuteUpdateAsync(s => s.SetProperty(w => w.HeartbeatAt, now), ct);
        await transitions.SweepStaleLeasesAsync(ct);
        await advance.AdvanceAllAsync(ct);
        await sweeps.AdvanceAllAsync(ct);
        await hints.ChangedAsync(Areas.Worker, nodeId);
    }

    private async Task LeaveAsync(Guid nodeId)
    {
        try
        {
            await using var db = await dbs.CreateDbContextAsync();
            var now = time.GetUtcNow();
            await db.Workers.Where(w => w.Id == nodeId).ExecuteUpdateAsync(s => s.SetProperty(w => w.StoppedAt, now));
        }
        catch (Exception e)
        {
            log.LogWarning("The worker could not sign off ({Message}); its heartbeat shows that it is gone.", e.Message);
        }
    }
}
