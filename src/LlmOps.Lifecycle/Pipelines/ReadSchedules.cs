using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Pipelines;

public sealed record ScheduleRow(Guid Id, string Name, string Pipeline, string Cron, string TimeZone, bool Enabled, DateTimeOffset? LastFiredAt, Guid? LastRunId, string? LastError, string CreatedBy, DateTimeOffset CreatedAt);

public sealed class ReadSchedules(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<IReadOnlyList<ScheduleRow>> ListAsync(string? pipeline = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var schedules = from s in db.Schedules.AsNoTracking()
                        join d in db.PipelineDefinitions.AsNoTracking() on s.DefinitionId equals d.Id
                        where pipeline == null || d.Name == pipeline
                        orderby s.Name
                        select new ScheduleRow(s.Id, s.Name, d.Name, s.Cron, s.TimeZone, s.Enabled, s.LastFiredAt, s.LastRunId, s.LastError, s.CreatedBy, s.CreatedAt);
        return await schedules.ToListAsync(ct);
    }

    /// <summary>The next times a cron expression names, in its time zone; throws what is wrong with either.</summary>
    public static IReadOnlyList<DateTimeOffset> Upcoming(string cron, string timeZone, DateTimeOffset from, int count)
    {
        var times = new List<DateTimeOffset>();
        for (var at = ManageSchedules.NextAfter(cron, timeZone, from); at is { } next && times.Count < count; at = ManageSchedules.NextAfter(cron, timeZone, next))
            times.Add(next);
        return times;
    }
}
