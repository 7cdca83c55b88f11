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
        return await Rows(db, db.Jobs.AsNoTracking().Where(j => j.StageRunId == stageRunId)).OrderByDescending(j => j.CreatedAt).ToListAsync(ct);
    }

    /// <summary>Running first, then what waits, the oldest first.</summary>
    public async Task<Window<JobRow>> OpenAsync(int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var open = db.Jobs.AsNoTracking().Where(j => j.State == JobState.Running || j.State == JobState.Queued);
        return await Rows(db, open).OrderByDescending(j => j.State == JobState.Running).ThenBy(j => j.CreatedAt).WindowAsync(skip, take, ct);
    }

    /// <summary>Lines after the one with the given number, in order.</summary>
    public async Task<IReadOnlyList<LogLine>> LogAsync(Guid jobId, long afterId, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.JobLog.AsNoTracking().Where(l => l.JobId == jobId && l.Id > afterId).OrderBy(l => l.Id).Take(take)
            .Select(l => new LogLine(l.Id, l.Attempt, l.At, l.Level, l.Text)).ToListAsync(ct);
    }

    internal static IQueryable<JobRow> Rows(LlmOpsDb db, IQueryable<Job> jobs) =>
        from j in jobs
        join s in db.StageRuns.AsNoTracking() on j.StageRunId equals (Guid?)s.Id into stages
        from s in stages.DefaultIfEmpty()
        join r in db.PipelineRuns.AsNoTracking() on s.PipelineRunId equals r.Id into runs
        from r in runs.DefaultIfEmpty()
        select new JobRow(j.Id, j.Kind, j.State, j.Attempt, j.MaxAttempts, j.WorkerId, j.WorkerName, j.Progress, j.ProgressText, j.Error, j.CancelRequested,
            j.CreatedBy, j.CreatedAt, j.NotBefore, j.StartedAt, j.EndedAt, j.StageRunId)
        {
            PipelineRunId = r == null ? null : r.Id, Pipeline = r == null ? null : r.Name, PipelineRunNumber = r == null ? null : r.Number, Stage = s == null ? null : s.Name,
        };
}
