using Cronos;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Scheduling;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Pipelines;

public sealed class ManageSchedules(IDbContextFactory<LlmOpsDb> dbs, StartPipeline start, Hints hints, TimeProvider time)
{
    public async Task<Schedule> CreateAsync(string name, string pipeline, string cron, string timeZone, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        name = Registry.ModelName.Parse(name);
        if (NextAfter(cron, timeZone, time.GetUtcNow()) is null)
            throw LlmOpsException.Invalid($"'{cron}' never comes: no date matches it. Check day and month.");
        var schedule = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var definition = await db.PipelineDefinitions.SingleOrDefaultAsync(d => d.Name == pipeline, ct) ?? throw LlmOpsException.NotFound("Pipeline", pipeline);
            if (await db.Schedules.AnyAsync(s => s.Name == name, ct))
                throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, $"A schedule is called '{name}' already. Choose another name.");
            var added = new Schedule { Name = name, DefinitionId = definition.Id, Cron = cron, TimeZone = timeZone, CreatedBy = actor.Name, CreatedAt = time.GetUtcNow() };
            db.Schedules.Add(added);
            db.Record(actor, "create", "schedule", name, added.CreatedAt, after: new { pipeline, cron, timeZone });
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

    /// <summary>Starts what is due, each schedule once however often it was missed. Called every minute by the clock.</summary>
    public async Task<int> FireDueAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        var fired = 0;
        foreach (var schedule in await db.Schedules.Where(s => s.Enabled).ToListAsync(ct))
        {
            var last = schedule.LastFiredAt;
            if (NextAfter(schedule.Cron, schedule.TimeZone, last ?? schedule.CreatedAt) is not { } due || due > now)
                continue;
            // Guarded by the time that was read: of two clocks that see the same schedule due, one fires it.
            var won = await db.Schedules.Where(s => s.Id == schedule.Id && s.LastFiredAt == last).ExecuteUpdateAsync(s => s.SetProperty(x => x.LastFiredAt, now), ct);
            if (won == 0)
                continue;
            var name = await db.PipelineDefinitions.Where(d => d.Id == schedule.DefinitionId).Select(d => d.Name).SingleAsync(ct);
            try
            {
                var run = await start.StartAsync(name, Actor.System, ct);
                await db.Schedules.Where(s => s.Id == schedule.Id).ExecuteUpdateAsync(s => s.SetProperty(x => x.LastRunId, run.Id).SetProperty(x => x.LastError, (string?)null), ct);
                fired++;
            }
            catch (LlmOpsException e)
            {
                await db.Schedules.Where(s => s.Id == schedule.Id).ExecuteUpdateAsync(s => s.SetProperty(x => x.LastError, e.Message), ct);
            }
            await hints.ChangedAsync(Areas.Schedule, schedule.Id);
        }
        return fired;
    }

    public static DateTimeOffset? NextAfter(string cron, string timeZone, DateTimeOffset from)
    {
        try
        {
            return CronExpression.Parse(cron).GetNextOccurrence(from, TimeZoneInfo.FindSystemTimeZoneById(timeZone));
        }
        catch (CronFormatException e)
        {
            throw LlmOpsException.Invalid($"'{cron}' is no cron expression: {e.Message} Write minute hour day month weekday, for example '0 3 * * *'.");
        }
        catch (TimeZoneNotFoundException)
        {
            throw LlmOpsException.Invalid($"'{timeZone}' is no time zone. Use an IANA name, for example Europe/Berlin or UTC.");
        }
    }
}
