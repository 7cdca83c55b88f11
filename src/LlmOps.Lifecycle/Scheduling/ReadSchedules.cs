using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <param name="Pipeline">The pipeline it starts; for a regression the one that is made for it.</param>
public sealed record ScheduleRow(Guid Id, string Name, string Kind, string Pipeline, string Cron, string TimeZone, bool Enabled, OverlapPolicy Overlap, CatchUpPolicy CatchUp, DateTimeOffset? LastFiredAt, Guid? LastRunId,
    string? LastError, string CreatedBy, DateTimeOffset CreatedAt)
{
    public RegressionSpec? Regression { get; init; }
    /// <summary>Of the newest firing that has one.</summary>
    public Verdict? Verdict { get; init; }
}

/// <param name="RunState">State of the run it started; null where none was.</param>
public sealed record FiringRow(Guid Id, Guid ScheduleId, string Schedule, string Kind, DateTimeOffset DueAt, DateTimeOffset FiredAt, int Missed, FiringOutcome Outcome, Verdict? Verdict, Guid? PipelineRunId, PipelineState? RunState, string? Note)
{
    /// <summary>One word for the chip: the verdict where there is one, else what became of the run.</summary>
    public string State => Verdict switch
    {
        Promotion.Verdict.Pass => "Passed",
        Promotion.Verdict.Fail => "Failed",
        Promotion.Verdict.CannotTell => "CannotTell",
        _ => RunState?.ToString() ?? Outcome.ToString(),
    };
}

public sealed class ReadSchedules(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<IReadOnlyList<ScheduleRow>> ListAsync(string? pipeline = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rows = await (from s in db.Schedules.AsNoTracking()
                          join d in db.PipelineDefinitions.AsNoTracking() on s.DefinitionId equals (Guid?)d.Id into definitions
                          from d in definitions.DefaultIfEmpty()
                          orderby s.Name
                          select new { Schedule = s, Pipeline = d!.Name,
                              Verdict = db.ScheduleFirings.Where(f => f.ScheduleId == s.Id && f.Verdict != null).OrderByDescending(f => f.DueAt).Select(f => f.Verdict).FirstOrDefault() }).ToListAsync(ct);
        return [.. rows.Select(r => new ScheduleRow(r.Schedule.Id, r.Schedule.Name, r.Schedule.Kind, r.Pipeline ?? RegressionPlan.PipelineName(r.Schedule), r.Schedule.Cron, r.Schedule.TimeZone, r.Schedule.Enabled,
            r.Schedule.Overlap, r.Schedule.CatchUp, r.Schedule.LastFiredAt, r.Schedule.LastRunId, r.Schedule.LastError, r.Schedule.CreatedBy, r.Schedule.CreatedAt)
        {
            Regression = r.Schedule.SpecJson is { } spec ? Json.Read<RegressionSpec>(spec) : null, Verdict = r.Verdict,
        }).Where(r => pipeline is null || r.Pipeline == pipeline)];
    }

    /// <summary>Newest first.</summary>
    public async Task<IReadOnlyList<FiringRow>> FiringsAsync(Guid? schedule = null, DateTimeOffset? from = null, DateTimeOffset? to = null, int take = 1000, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var firings = db.ScheduleFirings.AsNoTracking();
        if (schedule is { } id)
            firings = firings.Where(f => f.ScheduleId == id);
        if (from is { } begin)
            firings = firings.Where(f => f.DueAt >= begin);
        if (to is { } end)
            firings = firings.Where(f => f.DueAt < end);
        return await (from f in firings.OrderByDescending(f => f.DueAt).Take(take)
                      join s in db.Schedules.AsNoTracking() on f.ScheduleId equals s.Id
                      join r in db.PipelineRuns.AsNoTracking() on f.PipelineRunId equals (Guid?)r.Id into runs
                      from r in runs.DefaultIfEmpty()
                      orderby f.DueAt descending
                      select new FiringRow(f.Id, f.ScheduleId, s.Name, s.Kind, f.DueAt, f.FiredAt, f.Missed, f.Outcome, f.Verdict, f.PipelineRunId, (PipelineState?)r!.State, f.Note)).ToListAsync(ct);
    }
}
