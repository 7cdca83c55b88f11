using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <summary>Looks at every watched deployment when its next look is due, keeps what it saw, and tells people when it has drifted. Called by the clock; calling it more often changes nothing.</summary>
public sealed class WatchDrift(IDbContextFactory<LlmOpsDb> dbs, MeasureDrift measure, Hints hints, TimeProvider time)
{
    public const int ChecksKept = 200;

    /// <returns>How many were looked at.</returns>
    /// <exception cref="AggregateException">Some could not be; the others were.</exception>
    public async Task<int> WatchAsync(CancellationToken ct = default)
    {
        List<(string Name, DriftPolicy Policy, DateTimeOffset? CheckedAt)> watched;
        await using (var db = await dbs.CreateDbContextAsync(ct))
            watched = [.. (await db.DriftWatches.AsNoTracking().Where(w => w.Enabled).Join(db.Deployments, w => w.DeploymentId, d => d.Id, (w, d) => new { d.Name, d.Stopped, w.PolicyJson, w.CheckedAt }).ToListAsync(ct))
                .Where(w => !w.Stopped).Select(w => (w.Name, Json.Read<DriftPolicy>(w.PolicyJson), w.CheckedAt))];
        var (looked, failures) = (0, new List<Exception>());
        foreach (var (name, policy, _) in watched.Where(w => w.CheckedAt is null || w.CheckedAt.Value.AddHours(w.Policy.EveryHours) <= time.GetUtcNow()))
            try
            {
                await LookAsync(name, policy, Actor.System, ct);
                looked++;
            }
            // One that cannot be looked at, because a file of its model is gone for example, must not keep the others from it at every beat.
            catch (Exception e) when (e is not OperationCanceledException)
            {
                failures.Add(new InvalidOperationException($"{name} could not be looked at: {e.Message}", e));
            }
        return failures.Count == 0 ? looked : throw new AggregateException($"{looked} deployments were looked at, {failures.Count} could not be.", failures);
    }

    /// <summary>Now, whether it is due or not, by the policy of its watch or the usual one.</summary>
    public async Task<DriftReport> LookAsync(string deployment, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Deploy);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var policy = await db.DriftWatches.Where(w => db.Deployments.Any(d => d.Id == w.DeploymentId && d.Name == deployment)).Select(w => w.PolicyJson).SingleOrDefaultAsync(ct);
        return await LookAsync(deployment, policy is null ? new() : Json.Read<DriftPolicy>(policy), actor, ct);
    }

    private async Task<DriftReport> LookAsync(string name, DriftPolicy policy, Actor actor, CancellationToken ct)
    {
        var report = await measure.MeasureAsync(name, policy, ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var deployment = await db.Deployments.SingleAsync(d => d.Name == name, ct);
        var now = time.GetUtcNow();
        db.DriftChecks.Add(new DriftCheck { DeploymentId = deployment.Id, At = now, Verdict = report.Verdict, ReportJson = Json.Write(report) });
        if (await db.DriftWatches.SingleOrDefaultAsync(w => w.DeploymentId == deployment.Id, ct) is { } watch)
            watch.CheckedAt = now;
        db.Record(actor, "check-drift", "deployment", name, now, after: new { report.Verdict, report.Words });
        await TellAsync(db, deployment, report, now, ct);
        var old = await db.DriftChecks.Where(c => c.DeploymentId == deployment.Id).OrderByDescending(c => c.At).Skip(ChecksKept - 1).ToListAsync(ct);
        db.DriftChecks.RemoveRange(old);
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Deployment, deployment.Id);
        await hints.ChangedAsync(Areas.Schedule, deployment.Id);
        return report;
    }

    /// <summary>One incident for a drift, however often it is seen: people are told when it opens. It closes by itself when nothing drifts any more.</summary>
    private static async Task TellAsync(LlmOpsDb db, Deployment deployment, DriftReport report, DateTimeOffset now, CancellationToken ct)
    {
        var open = await db.Incidents.Where(i => i.DeploymentId == deployment.Id && i.ResolvedAt == null).OrderBy(i => i.OpenedAt).FirstOrDefaultAsync(ct);
        if (report.Verdict == Verdict.Pass && open is not null)
        {
            const string said = "The newest traces are as the baseline was: closed without a person.";
            (open.ResolvedAt, open.ResolvedBy, open.Note) = (now, Actor.System.Name, open.Note is null ? said : $"{open.Note}\n{said}");
            db.Record(Actor.System, "resolve", "incident", open.Id, now, after: new { note = said });
        }
        if (report.Verdict != Verdict.Fail)
            return;
        var reasons = report.Measures.Where(m => m.Verdict == Verdict.Fail).Select(m => new RuleResult($"{DriftRule.Called(m.Name)}: {DriftRule.MethodCalled(m.Method)} at most {m.Threshold}", m.Verdict,
            $"{m.BaselineCount} traces of the baseline and {m.WindowCount} of the window.", m.Value, m.Low, m.High, m.PValue)).ToList();
        var detail = new IncidentDetail($"Drift of {deployment.Name}", deployment.Name, "its own past", reasons, [], 0, [now], null);
        if (open is not null)
        {
            open.DetailJson = Json.Write(detail with { Firings = [.. Json.Read<IncidentDetail>(open.DetailJson).Firings, now] });
            return;
        }
        var incident = new Incident { Title = $"{deployment.Name} drifted", DeploymentId = deployment.Id, DetailJson = Json.Write(detail), OpenedAt = now };
        db.Incidents.Add(incident);
        db.Record(Actor.System, "open", "incident", incident.Id, now, after: new { incident.Title });
        var (title, href) = (incident.Title, $"/incidents/{incident.Id}");
        db.Notifications.Add(new Notification { Channel = NotificationChannels.Page, Title = title, Text = report.Words, Href = href, CreatedAt = now, State = NotificationState.Sent, SentAt = now });
        foreach (var rule in await db.AlertRules.AsNoTracking().Where(r => r.Enabled && r.Condition == AlertConditions.Drift).ToListAsync(ct))
            foreach (var channel in AlertConditions.Channels(rule).Where(c => c.Kind != NotificationChannels.Page))
                db.Notifications.Add(RaiseAlerts.Make(rule, channel, title, report.Words, href, now));
        await db.AnnounceAsync(WebhookEvents.DeploymentDrifted, deployment.Name, new { deployment.Name, words = WebhookEvents.Short(report.Words), measures = report.Measures.Where(m => m.Verdict == Verdict.Fail).Select(m => new { m.Name, m.Method, m.Value, m.Low, m.High, m.PValue, m.Threshold }), href }, now, ct);
    }
}
