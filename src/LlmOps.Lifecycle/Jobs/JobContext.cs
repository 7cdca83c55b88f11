using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Jobs;

/// <summary>Carries out one kind of job. The list of kinds is closed: one handler for each stage.</summary>
public interface IJobHandler
{
    string Kind { get; }

    /// <summary>
    /// May run twice for the same job. It works in its own folder, stores artifacts by content, and ends with exactly one
    /// <see cref="JobContext.CompleteAsync"/>.
    /// </summary>
    Task RunAsync(JobContext job, CancellationToken ct);
}

/// <summary>This worker no longer owns the job: another one does, and only its results count.</summary>
public sealed class LeaseLostException() : Exception("The lease on this job was lost; another worker has it or somebody cancelled it.");

/// <summary>What a handler is given: the job, a folder of its own, a log, progress, and the one way to finish.</summary>
public sealed class JobContext(Job job, string workFolder, IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    private readonly List<JobLogLine> pendingLog = [];
    private readonly Lock gate = new();

    public Job Job { get; } = job;
    public Guid JobId => Job.Id;

    /// <summary>Kept between attempts of the same job, so that training resumes from its own checkpoints.</summary>
    public string WorkFolder { get; } = workFolder;

    public Actor Actor { get; } = new(job.CreatedById, job.CreatedBy, new HashSet<Permission>());
    public double Progress { get; private set; }
    public string? ProgressText { get; private set; }
    public bool Completed { get; private set; }
    /// <summary>The last write is under way: from here on a lease that is gone is gone because the job is over.</summary>
    public bool Ending { get; private set; }
    /// <summary>Somebody asked to end the training now and to keep its weights. Only trainings look at it.</summary>
    public bool KeepRequested { get; set; }
    public TimeProvider Time => time;

    public T Spec<T>() => Json.Read<T>(Job.SpecJson);

    public Task<LlmOpsDb> OpenDbAsync(CancellationToken ct) => dbs.CreateDbContextAsync(ct);

    public void Report(double progress, string? text = null)
    {
        Progress = Math.Clamp(progress, 0, 1);
        ProgressText = text ?? ProgressText;
    }

    public void Log(string text, string level = "info")
    {
        lock (gate)
            pendingLog.Add(new JobLogLine { JobId = JobId, Attempt = Job.Attempt, At = time.GetUtcNow(), Level = level, Text = text.Length > 4000 ? text[..4000] : text });
    }

    /// <summary>Writes what was logged since the last time. Called by the heartbeat and at the end.</summary>
    public async Task FlushLogAsync(CancellationToken ct = default)
    {
        JobLogLine[] lines;
        lock (gate)
        {
            lines = [.. pendingLog];
            pendingLog.Clear();
        }
        if (lines.Length == 0)
            return;
        await using var db = await dbs.CreateDbContextAsync(ct);
        db.JobLog.AddRange(lines);
        await db.SaveChangesAsync(ct);
    }

    /// <summary>Saves partial results (rows of an evaluation, points of a curve) if, and only if, this worker still owns the job.</summary>
    public async Task SaveAsync(Func<LlmOpsDb, Task> write, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        // The guarded update takes the row's lock: from here to the commit nobody can claim the job away from under this write.
        var owned = await db.Jobs.Where(j => j.Id == JobId && j.State == JobState.Running && j.FencingToken == Job.FencingToken)
            .ExecuteUpdateAsync(s => s.SetProperty(j => j.Progress, Progress), ct);
        if (owned == 0)
            throw new LeaseLostException();
        await write(db);
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
    }

    /// <summary>
    /// The one end of a job: its results, its own state and its stage's outputs are saved together. A crash before the commit leaves
    /// nothing and the job runs again; a crash after it leaves everything and the job is over. A unique number taken by somebody else
    /// meanwhile makes the write run again on a fresh context.
    /// </summary>
    public async Task CompleteAsync(Func<LlmOpsDb, Task<Dictionary<string, string>>> write, CancellationToken ct)
    {
        Report(1);
        Ending = true;
        await UniqueViolation.RetryAsync(async () =>
        {
            await SaveAsync(async db =>
            {
                var outputs = await write(db);
                await EndAsync(db, JobState.Succeeded, StageState.Succeeded, Json.Write(outputs), null, ct);
            }, ct);
            return true;
        });
        Completed = true;
        await FlushLogAsync(ct);
        await hints.ChangedAsync(Areas.Job, JobId);
    }

    /// <summary>The stage's answer is "no" (a gate that refuses): results are kept and the stage fails with the reason.</summary>
    public async Task RefuseAsync(Func<LlmOpsDb, Task> write, string reason, CancellationToken ct)
    {
        Ending = true;
        await SaveAsync(async db =>
        {
            await write(db);
            await EndAsync(db, JobState.Failed, StageState.Failed, null, reason, ct);
        }, ct);
        Completed = true;
        await FlushLogAsync(ct);
        await hints.ChangedAsync(Areas.Job, JobId);
    }

    /// <summary>Before the results are saved: an audit entry among them locks the end of the chain, and whoever holds that must wait for no other row.</summary>
    private async Task EndAsync(LlmOpsDb db, JobState state, StageState stage, string? outputs, string? error, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await db.Jobs.Where(j => j.Id == JobId && j.FencingToken == Job.FencingToken).ExecuteUpdateAsync(s => s
            .SetProperty(j => j.State, state).SetProperty(j => j.ResultJson, outputs).SetProperty(j => j.Error, error)
            .SetProperty(j => j.LeaseUntil, (DateTimeOffset?)null).SetProperty(j => j.Progress, 1.0).SetProperty(j => j.EndedAt, now), ct);
        await db.StageRuns.Where(s => s.JobId == JobId).ExecuteUpdateAsync(s => s
            .SetProperty(x => x.State, stage).SetProperty(x => x.OutputsJson, outputs).SetProperty(x => x.Error, error).SetProperty(x => x.EndedAt, now), ct);
        if (state == JobState.Failed)
            await db.AnnounceJobFailedAsync(Job, error, now, ct);
    }
}
