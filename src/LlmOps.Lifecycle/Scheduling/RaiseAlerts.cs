using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>Adds what the alert rules have to say about a firing to the change that is being saved, so that neither is there without the other.</summary>
internal static class RaiseAlerts
{
    /// <param name="result">Null when the schedule fires; what became of it when its run is over.</param>
    public static async Task AddAsync(LlmOpsDb db, Schedule schedule, ScheduleFiring firing, FiringResult? result, DateTimeOffset now, CancellationToken ct)
    {
        var rules = await db.AlertRules.AsNoTracking().Where(r => r.Enabled && (r.ScheduleId == null || r.ScheduleId == schedule.Id)).OrderBy(r => r.Name).ToListAsync(ct);
        if (rules.Count == 0)
            return;
        var facts = new List<AlertFact> { Fact(firing, result) };
        if (result is not null)
        {
            var earlier = await db.ScheduleFirings.AsNoTracking().Where(f => f.ScheduleId == schedule.Id && f.DueAt < firing.DueAt && f.ResultJson != null).OrderByDescending(f => f.DueAt).Take(200).ToListAsync(ct);
            facts.AddRange(earlier.Select(f => Fact(f, Json.Read<FiringResult>(f.ResultJson!))));
        }
        foreach (var rule in rules.Where(r => AlertConditions.IsKnownAtOnce(r.Condition, facts[0]) == result is null))
        {
            if (AlertConditions.Says(rule.Condition, AlertConditions.Parameters(rule), facts) is not { } said)
                continue;
            var why = rule.Condition is AlertConditions.Failed ? result is null ? firing.Note : result.Error
                : rule.Condition is AlertConditions.Fail ? string.Join(" ", result?.Reasons.Where(r => r.Verdict == Promotion.Verdict.Fail).Select(r => $"{r.Rule}: {r.Reason}") ?? []) : null;
            var href = result?.IncidentId is { } incident ? $"/incidents/{incident}" : firing.PipelineRunId is { } run ? $"/pipeline-runs/{run}" : "/schedules";
            foreach (var channel in AlertConditions.Channels(rule))
                db.Notifications.Add(Make(rule, channel, $"{schedule.Name}: {rule.Condition}", string.IsNullOrEmpty(why) ? said : $"{said} {why}", href, now));
        }
    }

    /// <summary>What is shown on the page has arrived when it is stored; the rest waits for the sender.</summary>
    internal static Notification Make(AlertRule rule, AlertChannel channel, string title, string text, string href, DateTimeOffset now) => new()
    {
        AlertRuleId = rule.Id, Channel = channel.Kind, Target = channel.Target, Title = title, Text = text, Href = href, CreatedAt = now,
        State = channel.Kind == NotificationChannels.Page ? NotificationState.Sent : NotificationState.Waiting, SentAt = channel.Kind == NotificationChannels.Page ? now : null,
    };

    private static AlertFact Fact(ScheduleFiring firing, FiringResult? result) =>
        new(firing.Outcome, firing.Missed, result is { RunState: PipelineState.Failed }, firing.Verdict, result?.Metrics ?? []);
}
