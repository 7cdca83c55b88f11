using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <param name="Schedule">Name of the schedule it watches; null for all.</param>
public sealed record NewAlertRule(string Name, string Condition, IReadOnlyList<AlertChannel> Channels, string? Schedule = null, AlertParameters? Parameters = null);

/// <summary>What people do to the rules that tell them about firings.</summary>
public sealed class ManageAlertRules(IDbContextFactory<LlmOpsDb> dbs, NotificationChannels channels, Hints hints, TimeProvider time)
{
    public async Task<AlertRule> CreateAsync(NewAlertRule asked, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var name = Registry.ModelName.Parse(asked.Name);
        var parameters = EnsureValid(asked);
        var rule = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var schedule = await WatchedAsync(db, asked, ct);
            if (await db.AlertRules.AnyAsync(r => r.Name == name, ct))
                throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, $"An alert rule is called '{name}' already. Choose another name.");
            var added = new AlertRule
            {
                Name = name, ScheduleId = schedule, Condition = asked.Condition, ParametersJson = Json.Write(parameters), ChannelsJson = Json.Write(asked.Channels), CreatedBy = actor.Name, CreatedAt = time.GetUtcNow(),
            };
            db.AlertRules.Add(added);
            db.Record(actor, "create", "alert-rule", name, added.CreatedAt, after: asked);
            await db.SaveChangesAsync(ct);
            return added;
        });
        await hints.ChangedAsync(Areas.Schedule, rule.Id);
        return rule;
    }

    /// <summary>Everything but the name, which people know it by, and whether it is enabled.</summary>
    public async Task ChangeAsync(Guid id, NewAlertRule asked, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var parameters = EnsureValid(asked);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rule = await db.AlertRules.SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Alert rule", id);
        var before = new { rule.ScheduleId, rule.Condition, Parameters = AlertConditions.Parameters(rule), Channels = AlertConditions.Channels(rule) };
        rule.ScheduleId = await WatchedAsync(db, asked, ct);
        rule.Condition = asked.Condition;
        rule.ParametersJson = Json.Write(parameters);
        rule.ChannelsJson = Json.Write(asked.Channels);
        db.Record(actor, "change", "alert-rule", rule.Name, time.GetUtcNow(), before, new { rule.ScheduleId, rule.Condition, Parameters = parameters, asked.Channels });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, id);
    }

    /// <summary>Sends one message over each channel of the rule, the way an alert goes, so that a wrong address shows by day.</summary>
    public async Task<int> TestAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rule = await db.AlertRules.AsNoTracking().SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Alert rule", id);
        var now = time.GetUtcNow();
        var told = AlertConditions.Channels(rule);
        foreach (var channel in told)
            db.Notifications.Add(RaiseAlerts.Make(rule, channel, $"Test of {rule.Name}", $"{actor.Name} wants to see whether this arrives. Nothing is wrong.", "/schedules/alerts", now));
        db.Record(actor, "test", "alert-rule", rule.Name, now, after: new { channels = told });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, id);
        return told.Count;
    }

    public async Task EnableAsync(Guid id, bool enabled, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rule = await db.AlertRules.SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Alert rule", id);
        db.Record(actor, enabled ? "enable" : "disable", "alert-rule", rule.Name, time.GetUtcNow(), new { rule.Enabled }, new { enabled });
        rule.Enabled = enabled;
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, id);
    }

    public async Task DeleteAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var rule = await db.AlertRules.SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Alert rule", id);
        db.AlertRules.Remove(rule);
        db.Record(actor, "delete", "alert-rule", rule.Name, time.GetUtcNow(), new { rule.Condition });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, id);
    }

    private AlertParameters EnsureValid(NewAlertRule asked)
    {
        var parameters = asked.Parameters ?? new();
        AlertConditions.EnsureValid(asked.Condition, parameters);
        if (asked.Channels.Count == 0)
            throw LlmOpsException.Invalid($"The rule tells nobody. Give at least one channel: {string.Join(", ", NotificationChannels.All)}.");
        foreach (var channel in asked.Channels)
            channels.EnsureUsable(channel);
        return parameters;
    }

    private static async Task<Guid?> WatchedAsync(LlmOpsDb db, NewAlertRule asked, CancellationToken ct) => asked.Schedule is not { Length: > 0 } watched ? null
        : await db.Schedules.Where(s => s.Name == watched).Select(s => (Guid?)s.Id).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Schedule", watched);
}
