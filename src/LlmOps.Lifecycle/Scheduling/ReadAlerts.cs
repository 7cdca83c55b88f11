using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

public sealed record AlertRuleRow(Guid Id, string Name, string? Schedule, string Condition, AlertParameters Parameters, IReadOnlyList<AlertChannel> Channels, bool Enabled, string CreatedBy, DateTimeOffset CreatedAt);

/// <summary>The rules, and what they have said.</summary>
public sealed class ReadAlerts(IDbContextFactory<LlmOpsDb> dbs)
{
    // A person's own values have a place in the identity tables: how far they read is one of them.
    private const string MarkProvider = "llmops", MarkName = "notifications-read-until";

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

    /// <summary>What a person's bell shows: notifications for the page since they last marked them as read, or since their account was made; newest first.</summary>
    public async Task<IReadOnlyList<Notification>> UnreadAsync(Actor actor, int take = 20, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var since = await db.UserTokens.Where(t => t.UserId == actor.Id && t.LoginProvider == MarkProvider && t.Name == MarkName).Select(t => t.Value).SingleOrDefaultAsync(ct) is { } mark
            ? DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(mark, CultureInfo.InvariantCulture))
            : await db.Users.Where(u => u.Id == actor.Id).Select(u => (DateTimeOffset?)u.CreatedAt).SingleOrDefaultAsync(ct) ?? DateTimeOffset.UnixEpoch;
        return await db.Notifications.AsNoTracking().Where(n => n.Channel == NotificationChannels.Page && n.ReadAt == null && n.CreatedAt > since).OrderByDescending(n => n.CreatedAt).Take(take).ToListAsync(ct);
    }

    /// <summary>This person has seen what was said until then; others have not. It changes nothing else, so it leaves no audit entry.</summary>
    public Task MarkReadAsync(Actor actor, DateTimeOffset until, CancellationToken ct = default) => UniqueViolation.RetryAsync(async () =>
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var mark = until.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        var own = await db.UserTokens.SingleOrDefaultAsync(t => t.UserId == actor.Id && t.LoginProvider == MarkProvider && t.Name == MarkName, ct);
        if (own is null)
            db.UserTokens.Add(new() { UserId = actor.Id, LoginProvider = MarkProvider, Name = MarkName, Value = mark });
        else
            own.Value = mark;
        return await db.SaveChangesAsync(ct);
    });
}
