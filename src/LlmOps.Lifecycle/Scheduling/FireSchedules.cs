using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>
/// Starts what is due. The due time is claimed and the run is inserted in one transaction: a crash before the commit leaves nothing and
/// the next beat fires, a crash after it leaves a run whose first stages the sweep queues. However often a time was missed, and however
/// many clocks look, one firing comes of it.
/// </summary>
public sealed class FireSchedules(IDbContextFactory<LlmOpsDb> dbs, AdvancePipelines advance, ControlPipeline control, Hints hints, TimeProvider time)
{
    /// <summary>The clock beats every minute; what is later than this was missed.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan DoubleClick = TimeSpan.FromSeconds(2);

    /// <summary>Called every minute by the clock. How many runs were started.</summary>
    public async Task<int> FireDueAsync(CancellationToken ct = default)
    {
        List<Schedule> schedules;
        await using (var db = await dbs.CreateDbContextAsync(ct))
            schedules = await db.Schedules.AsNoTracking().Where(s => s.Enabled).OrderBy(s => s.Name).ToListAsync(ct);
        var started = 0;
        foreach (var schedule in schedules)
            if (await FireAsync(schedule, ct) is { Outcome: FiringOutcome.Started })
                started++;
        return started;
    }

    private async Task<ScheduleFiring?> FireAsync(Schedule schedule, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        DueTimes? due;
        try
        {
            due = ScheduleTimes.Due(schedule.Cron, schedule.TimeZone, schedule.LastFiredAt ?? schedule.CreatedAt, now);
        }
        catch (LlmOpsException e)
        {
            // A time zone that this machine does not know must not keep the other schedules from firing.
            await using var db = await dbs.CreateDbContextAsync(ct);
            await db.Schedules.Where(s => s.Id == schedule.Id).ExecuteUpdateAsync(s => s.SetProperty(x => x.LastError, e.Message), ct);
            return null;
        }
        if (due is null)
            return null;
        var previous = await PreviousRunAsync(schedule, ct);
        var running = previous is { EndedAt: null };
        if (running && schedule.Overlap == OverlapPolicy.Queue)
            return null; // stays due until the run before is over
        // What waited for its turn was not missed.
        var ready = previous?.EndedAt > due.Latest && schedule.Overlap == OverlapPolicy.Queue ? previous.EndedAt.Value : due.Latest;
        var skip = running && schedule.Overlap == OverlapPolicy.Skip ? "The run before is not over yet."
            : schedule.CatchUp == CatchUpPolicy.Skip && now - ready > Grace ? "It was due while nothing ran, and this schedule does not catch up." : null;
        if (running && schedule.Overlap == OverlapPolicy.CancelPrevious)
            await CancelAsync(previous!.Id, ct);
        var firing = await UniqueViolation.RetryAsync(() => ClaimAsync(schedule, due.Latest, due.Missed, skip, null, ct));
        await AfterAsync(schedule, firing, ct);
        return firing;
    }

    /// <summary>Starts it now, whatever its times say. The next due time stays as it is.</summary>
    public async Task<ScheduleFiring> RunNowAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        Schedule schedule;
        await using (var db = await dbs.CreateDbContextAsync(ct))
            schedule = await db.Schedules.AsNoTracking().SingleOrDefaultAsync(s => s.Id == id, ct) ?? throw LlmOpsException.NotFound("Schedule", id);
        var previous = await PreviousRunAsync(schedule, ct);
        if (previous is { EndedAt: null } && schedule.Overlap != OverlapPolicy.CancelPrevious)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The run before of {schedule.Name} is not over yet. Wait for it or cancel it, then try again.");
        // The second click of a double click would cancel what the first one started, or start the same once more.
        if (previous is not null && time.GetUtcNow() - previous.CreatedAt < DoubleClick)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{schedule.Name} was started in this moment.");
        if (previous is { EndedAt: null })
            await CancelAsync(previous.Id, ct);
        var firing = await UniqueViolation.RetryAsync(() => ClaimAsync(schedule, time.GetUtcNow(), 0, null, actor, ct));
        await AfterAsync(schedule, firing, ct);
        if (firing is null)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"Somebody else started {schedule.Name} in this moment.");
        return firing.Outcome == FiringOutcome.Failed ? throw LlmOpsException.Invalid(firing.Note!) : firing;
    }

    /// <summary>One transaction: the claim, the run, its audit entry and what is told about it; null when another clock was first.</summary>
    private async Task<ScheduleFiring?> ClaimAsync(Schedule schedule, DateTimeOffset dueAt, int missed, string? skip, Actor? asked, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        var now = time.GetUtcNow();
        // Guarded by the time that was read: of two clocks that see the same schedule due, even at different minutes, one goes on.
        if (asked is null && 0 == await db.Schedules.Where(s => s.Id == schedule.Id && s.Enabled && s.LastFiredAt == schedule.LastFiredAt)
                .ExecuteUpdateAsync(s => s.SetProperty(x => x.LastFiredAt, now), ct))
            return null;
        // Two people who ask at once both saw the same last run: the row is held by the first one, and the second finds another run in it.
        if (asked is not null && 0 == await db.Schedules.Where(s => s.Id == schedule.Id && s.LastRunId == schedule.LastRunId)
                .ExecuteUpdateAsync(s => s.SetProperty(x => x.LastError, x => x.LastError), ct))
            return null;
        PipelineRun? run = null;
        var (outcome, note) = (FiringOutcome.Skipped, skip);
        if (skip is null)
        {
            try
            {
                (run, note) = await PrepareAsync(db, schedule, asked ?? Actor.System, now, ct);
                outcome = FiringOutcome.Started;
            }
            catch (LlmOpsException e)
            {
                db.ChangeTracker.Clear();
                (outcome, note) = (FiringOutcome.Failed, e.Message);
            }
        }
        if (asked is not null)
            note = note is null ? $"Asked for by {asked.Name}." : $"Asked for by {asked.Name}. {note}";
        var firing = new ScheduleFiring { ScheduleId = schedule.Id, DueAt = dueAt, FiredAt = now, Missed = missed, Outcome = outcome, PipelineRunId = run?.Id, Note = note };
        db.ScheduleFirings.Add(firing);
        await RaiseAlerts.AddAsync(db, schedule, firing, null, now, ct);
        await db.SaveChangesAsync(ct);
        var error = outcome == FiringOutcome.Failed ? note : null;
        if (outcome != FiringOutcome.Skipped)
            await db.Schedules.Where(s => s.Id == schedule.Id).ExecuteUpdateAsync(s => s.SetProperty(x => x.LastError, error).SetProperty(x => x.LastRunId, x => run == null ? x.LastRunId : run.Id), ct);
        await transaction.CommitAsync(ct);
        return firing;
    }

    private static async Task<(PipelineRun Run, string? Note)> PrepareAsync(LlmOpsDb db, Schedule schedule, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        if (schedule.Kind == Schedule.Pipeline)
        {
            var definition = await db.PipelineDefinitions.SingleOrDefaultAsync(d => d.Id == schedule.DefinitionId, ct) ?? throw LlmOpsException.NotFound("Pipeline", schedule.DefinitionId!);
            return (await StartPipeline.PrepareAsync(db, definition, actor, now, ct), null);
        }
        var spec = Json.Read<RegressionSpec>(schedule.SpecJson!);
        var plan = await RegressionPlan.ResolveAsync(db, schedule, spec, now, ct);
        var name = RegressionPlan.PipelineName(schedule);
        var own = await db.PipelineDefinitions.SingleOrDefaultAsync(d => d.Name == name, ct);
        if (own is null)
            db.Add(own = new PipelineDefinition { Name = name, Yaml = "", Folder = "", ChangedBy = actor.Name, Description = $"What the schedule {schedule.Name} runs." });
        own.Yaml = plan.ToYaml(name, schedule.Name, spec);
        own.Revision++;
        own.ChangedAt = now;
        return (await StartPipeline.PrepareAsync(db, own, actor, now, ct), plan.Note);
    }

    private async Task<PipelineRun?> PreviousRunAsync(Schedule schedule, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.PipelineRuns.AsNoTracking().SingleOrDefaultAsync(r => r.Id == schedule.LastRunId, ct);
    }

    private async Task CancelAsync(Guid runId, CancellationToken ct)
    {
        try
        {
            await control.CancelAsync(runId, Actor.System, ct);
        }
        catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
        {
            // It ended in this moment, or another clock cancelled it: either is what was wanted.
        }
    }

    private async Task AfterAsync(Schedule schedule, ScheduleFiring? firing, CancellationToken ct)
    {
        if (firing?.PipelineRunId is { } run)
            await advance.AdvanceAsync(run, ct);
        if (firing is not null)
            await hints.ChangedAsync(Areas.Schedule, schedule.Id);
    }
}
