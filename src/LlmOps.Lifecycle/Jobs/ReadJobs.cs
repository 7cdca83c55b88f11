using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Jobs;

public sealed record JobRow(Guid Id, string Kind, JobState State, int Attempt, int MaxAttempts, Guid? WorkerId, string? WorkerName, double Progress, string? ProgressText, string? Error, bool CancelRequested,
    string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset? NotBefore, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt, Guid? StageRunId)
{
    /// <summary>Where it belongs, when it carries out a stage.</summary>
    public Guid? PipelineRunId { get; init; }
    public string? Pipeline { get; init; }
    public int? PipelineRunNumber { get; init; }
    public string? Stage { get; init; }
}

public sealed record LogLine(long Id, int Attempt, DateTimeOffset At, string Level, string Text);

/// <summary>Jobs, what they logged, and where they belong.</summary>
public sealed class ReadJobs(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>Every job a stage ever had, the newest first: one for each round.</summary>
    public async Task<IReadOnlyList<JobRow>> OfStageAsync(Guid stageRunId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await Rows(db, db.Jobs.AsNoTracking().Where(j => j.StageRunId == stageRunId).OrderByDescending(j => j.CreatedAt)).ToListAsync(ct);
    }

    /// <summary>Running first, then what waits, the oldest first.</summary>
    public async Task<Window<JobRow>> OpenAsync(int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var open = db.Jobs.AsNoTracking().Where(j => j.State == JobState.Running || j.State == JobState.Queued);
        return await Rows(db, open.OrderByDescending(j => j.State == JobState.Running).ThenBy(j => j.CreatedAt)).WindowAsync(skip, take, ct);
    }

    /// <summary>Lines after the one with the given number, in order.</summary>
    public async Task<IReadOnlyList<LogLine>> LogAsync(Guid jobId, long afterId, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.JobLog.AsNoTracking().Where(l => l.JobId == jobId && l.Id > afterId).OrderBy(l => l.Id).Take(take)
            .Select(l => new LogLine(l.Id, l.Attempt, l.At, l.Level, l.Text)).ToListAsync(ct);
    }

    /// <summary>Order and filter before: a projection to a record is the last thing a database can do.</summary>
    internal static IQueryable<JobRow> Rows(LlmOpsDb db, IQueryable<Job> jobs) => jobs
        .Select(j => new { j, Stage = db.StageRuns.FirstOrDefault(s => s.Id == j.StageRunId) })
        .Select(x => new JobRow(x.j.Id, x.j.Kind, x.j.State, x.j.Attempt, x.j.MaxAttempts, x.j.WorkerId, x.j.WorkerName, x.j.Progress, x.j.ProgressText, x.j.Error, x.j.CancelRequested,
            x.j.CreatedBy, x.j.CreatedAt, x.j.NotBefore, x.j.StartedAt, x.j.EndedAt, x.j.StageRunId)
        {
            PipelineRunId = x.Stage == null ? null : x.Stage.PipelineRunId, Pipeline = x.Stage == null ? null : x.Stage.PipelineRun!.Name,
            PipelineRunNumber = x.Stage == null ? null : x.Stage.PipelineRun!.Number, Stage = x.Stage == null ? null : x.Stage.Name,
        });
}
