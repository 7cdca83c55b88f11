using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle;

/// <param name="Objection">Why the reader may not decide it; null when they may.</param>
public sealed record WaitingApproval(Guid Id, string Model, int Number, string Variant, string Alias, string RequestedBy, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, string? Objection);

public sealed record RecentFailure(string What, string Href, string? Error, DateTimeOffset At);

public sealed record RunningWork(Guid JobId, string Kind, string? Stage, Guid? PipelineRunId, string? Pipeline, int? RunNumber, JobState State, double Progress, string? ProgressText, string? Worker, DateTimeOffset? StartedAt);

public sealed record NewVersionRow(string Model, int Number, string Stage, long Parameters, bool? ParityPassed, string CreatedBy, DateTimeOffset CreatedAt);

/// <param name="IsFirstRun">There is nothing yet: no run, no dataset, no model.</param>
/// <param name="Queued">Work that waits for a worker.</param>
public sealed record Overview(IReadOnlyList<WaitingApproval> Approvals, IReadOnlyList<RecentFailure> Failures, IReadOnlyList<RunningWork> Running, int Queued, IReadOnlyList<NewVersionRow> Newest,
    bool IsFirstRun, string? Starter)
{
    public IEnumerable<WaitingApproval> Mine => Approvals.Where(a => a.Objection is null);
}

/// <summary>What needs the person who looks, what went wrong, what runs, what is new.</summary>
public sealed class ReadOverview(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    private const int Most = 20;

    public async Task<Overview> ReadAsync(Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var newest = await db.ModelVersions.AsNoTracking().OrderByDescending(v => v.CreatedAt).Take(8)
            .Select(v => new NewVersionRow(v.Model!.Name, v.Number, v.Stage, v.Parameters, v.ParityPassed, v.CreatedBy, v.CreatedAt)).ToListAsync(ct);
        var first = newest.Count == 0 && !await db.PipelineRuns.AnyAsync(ct) && !await db.Datasets.AnyAsync(ct);
        return new(await ApprovalsAsync(db, actor, now, ct), await FailuresAsync(db, now.AddDays(-1), ct), await RunningAsync(db, ct),
            await db.Jobs.CountAsync(j => j.State == JobState.Queued, ct), newest, first,
            first ? await db.PipelineDefinitions.AsNoTracking().OrderBy(d => d.Name == "quickstart" ? 0 : 1).ThenBy(d => d.Name).Select(d => d.Name).FirstOrDefaultAsync(ct) : null);
    }

    private static async Task<IReadOnlyList<WaitingApproval>> ApprovalsAsync(LlmOpsDb db, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        var rows = await (from a in db.Approvals.AsNoTracking()
                          join v in db.ModelVersions.AsNoTracking().Include(v => v.Model) on a.VersionId equals v.Id
                          where a.State == ApprovalState.WaitingForApproval && a.ExpiresAt >= now
                          orderby a.CreatedAt descending
                          select new { Request = a, v.Model!.Name, v.Number }).Take(Most).ToListAsync(ct);
        return [.. rows.Select(r => new WaitingApproval(r.Request.Id, r.Name, r.Number, r.Request.VariantName, r.Request.AliasName, r.Request.RequestedBy, r.Request.CreatedAt, r.Request.ExpiresAt,
            DecideApproval.Objection(r.Request, actor, now)))];
    }

    private static async Task<IReadOnlyList<RecentFailure>> FailuresAsync(LlmOpsDb db, DateTimeOffset since, CancellationToken ct)
    {
        var stages = await db.StageRuns.AsNoTracking().Where(s => s.State == StageState.Failed && s.EndedAt >= since).OrderByDescending(s => s.EndedAt).Take(Most)
            .Select(s => new { s.PipelineRunId, Pipeline = s.PipelineRun!.Name, s.PipelineRun.Number, s.Name, s.Error, s.EndedAt }).ToListAsync(ct);
        var jobs = await db.Jobs.AsNoTracking().Where(j => j.State == JobState.Failed && j.StageRunId == null && j.EndedAt >= since).OrderByDescending(j => j.EndedAt).Take(Most)
            .Select(j => new { j.Kind, j.Error, j.EndedAt }).ToListAsync(ct);
        var schedules = await db.Schedules.AsNoTracking().Where(s => s.LastError != null && s.LastFiredAt >= since).OrderByDescending(s => s.LastFiredAt).Take(Most)
            .Select(s => new { s.Name, s.LastError, s.LastFiredAt }).ToListAsync(ct);
        return [.. stages.Select(s => new RecentFailure($"{s.Pipeline} #{s.Number}: {s.Name}", $"/pipeline-runs/{s.PipelineRunId}?stage={Uri.EscapeDataString(s.Name)}", s.Error, s.EndedAt!.Value))
            .Concat(jobs.Select(j => new RecentFailure(j.Kind, "/workers", j.Error, j.EndedAt!.Value)))
            .Concat(schedules.Select(s => new RecentFailure($"Schedule {s.Name}", "/schedules", s.LastError, s.LastFiredAt!.Value)))
            .OrderByDescending(f => f.At).Take(Most)];
    }

    private static async Task<IReadOnlyList<RunningWork>> RunningAsync(LlmOpsDb db, CancellationToken ct) =>
        await (from j in db.Jobs.AsNoTracking()
               where j.State == JobState.Running
               join s in db.StageRuns.AsNoTracking() on j.StageRunId equals (Guid?)s.Id into stages
               from s in stages.DefaultIfEmpty()
               orderby j.StartedAt
               select new RunningWork(j.Id, j.Kind, s!.Name, (Guid?)s.PipelineRunId, s.PipelineRun!.Name, (int?)s.PipelineRun.Number, j.State, j.Progress, j.ProgressText, j.WorkerName, j.StartedAt)).Take(Most).ToListAsync(ct);
}
