using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <param name="Pipeline">Name of the pipeline to start; null for a regression.</param>
public sealed record ScheduleRequest(string Name, string Cron, string TimeZone = "UTC", string? Pipeline = null, RegressionSpec? Regression = null, OverlapPolicy Overlap = OverlapPolicy.Skip, CatchUpPolicy CatchUp = CatchUpPolicy.Once);

/// <summary>What people do to a schedule.</summary>
public sealed class ManageSchedules(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public Task<Schedule> CreateAsync(string name, string pipeline, string cron, string timeZone, Actor actor, CancellationToken ct = default) =>
        CreateAsync(new ScheduleRequest(name, cron, timeZone, Pipeline: pipeline), actor, ct);

    public async Task<Schedule> CreateAsync(ScheduleRequest asked, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var name = Registry.ModelName.Parse(asked.Name);
        if (ScheduleTimes.NextAfter(asked.Cron, asked.TimeZone, time.GetUtcNow()) is null)
            throw LlmOpsException.Invalid($"'{asked.Cron}' never comes: no date matches it. Check day and month.");
        if (asked.Pipeline is null == asked.Regression is null)
            throw LlmOpsException.Invalid("A schedule starts a pipeline or a regression check. Give one of the two.");
        var spec = asked.Regression?.Checked();
        var schedule = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            Guid? definition = asked.Pipeline is not { } pipeline ? null
                : await db.PipelineDefinitions.Where(d => d.Name == pipeline).Select(d => (Guid?)d.Id).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Pipeline", pipeline);
            if (await db.Schedules.AnyAsync(s => s.Name == name, ct))
                throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, $"A schedule is called '{name}' already. Choose another name.");
            var added = new Schedule
            {
                Name = name, Kind = spec is null ? Schedule.Pipeline : Schedule.Regression, DefinitionId = definition, SpecJson = spec is null ? null : Json.Write(spec), Cron = asked.Cron,
                TimeZone = asked.TimeZone, Overlap = asked.Overlap, CatchUp = asked.CatchUp, CreatedBy = actor.Name, CreatedAt = time.GetUtcNow(),
            };
            db.Schedules.Add(added);
            db.Record(actor, "create", "schedule", name, added.CreatedAt, after: new { added.Kind, asked.Pipeline, regression = spec, asked.Cron, asked.TimeZone, asked.Overlap, asked.CatchUp });
            await db.SaveChangesAsync(ct);
            return added;
        });
        await hints.ChangedAsync(Areas.Schedule, schedule.Id);
        return schedule;
    }

    public async Task EnableAsync(Guid id, bool enabled, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var schedule = await db.Schedules.SingleOrDefaultAsync(s => s.Id == id, ct) ?? throw LlmOpsException.NotFound("Schedule", id);
        db.Record(actor, enabled ? "enable" : "disable", "schedule", schedule.Name, time.GetUtcNow(), new { schedule.Enabled }, new { enabled });
        schedule.Enabled = enabled;
        // Turned on again, it starts from now: what was due while it was off is not caught up.
        if (enabled)
            schedule.LastFiredAt = time.GetUtcNow();
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, id);
    }

    public async Task DeleteAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var schedule = await db.Schedules.SingleOrDefaultAsync(s => s.Id == id, ct) ?? throw LlmOpsException.NotFound("Schedule", id);
        db.Schedules.Remove(schedule);
        db.Record(actor, "delete", "schedule", schedule.Name, time.GetUtcNow(), new { schedule.Cron, schedule.TimeZone });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, id);
    }
}
