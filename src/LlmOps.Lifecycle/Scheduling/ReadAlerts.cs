using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

public sealed record AlertRuleRow(Guid Id, string Name, string? Schedule, string Condition, AlertParameters Parameters, IReadOnlyList<AlertChannel> Channels, bool Enabled, string CreatedBy, DateTimeOffset CreatedAt);

/// <summary>The rules, and what they have said.</summary>
public sealed class ReadAlerts(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    public async Task<IReadOnlyList<AlertRuleRow>> RulesAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rules = await (from r in db.AlertRules.AsNoTracking()
                           join s in db.Schedules.AsNoTracking() on r.ScheduleId equals (Guid?)s.Id into schedules
                           from s in schedules.DefaultIfEmpty()
                           orderby r.Name
                           select new { Rule = r, Schedule = s!.Name }).ToListAsync(ct);
        return [.. rows(rules.Select(r => (r.Rule, (string?)r.Schedule)))];

        static IEnumerable<AlertRuleRow> rows(IEnumerable<(AlertRule Rule, string? Schedule)> rules) => rules.Select(r => new AlertRuleRow(r.Rule.Id, r.Rule.Name, r.Schedule, r.Rule.Condition,
            AlertConditions.Parameters(r.Rule), AlertConditions.Channels(r.Rule), r.Rule.Enabled, r.Rule.CreatedBy, r.Rule.CreatedAt));
    }

    /// <summary>Newest first, of all channels.</summary>
    public async Task<IReadOnlyList<Notification>> NotificationsAsync(int take = 100, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Notifications.AsNoTracking().OrderByDescending(n => n.CreatedAt).ThenByDescending(n => n.Id).Take(take).ToListAsync(ct);
    }

    /// <summary>What the bell shows: notifications for the page that nobody has marked as read, newest first.</summary>
    public async Task<IReadOnlyList<Notification>> UnreadAsync(int take = 20, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Notifications.AsNoTracking().Where(n => n.Channel == NotificationChannels.Page && n.ReadAt == null).OrderByDescending(n => n.CreatedAt).Take(take).ToListAsync(ct);
    }

    /// <summary>They were seen, by whoever looked first: the team shares one bell. It changes nothing else, so it leaves no audit entry.</summary>
    public async Task MarkReadAsync(IReadOnlyCollection<Guid> ids, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var now = time.GetUtcNow();
        await db.Notifications.Where(n => ids.Contains(n.Id) && n.ReadAt == null).ExecuteUpdateAsync(s => s.SetProperty(n => n.ReadAt, now), ct);
    }
}
