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
        var parameters = asked.Parameters ?? new();
        AlertConditions.EnsureValid(asked.Condition, parameters);
        if (asked.Channels.Count == 0)
            throw LlmOpsException.Invalid($"The rule tells nobody. Give at least one channel: {string.Join(", ", NotificationChannels.All)}.");
        foreach (var channel in asked.Channels)
            channels.EnsureUsable(channel);
        var rule = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            Guid? schedule = asked.Schedule is not { Length: > 0 } watched ? null
                : await db.Schedules.Where(s => s.Name == watched).Select(s => (Guid?)s.Id).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Schedule", watched);
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
}
