using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Deployments;

/// <summary>Looks at every running canary when its next look is due, and acts on what it sees. Called by the clock; calling it more often changes nothing.</summary>
public sealed class WatchCanaries(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task WatchAsync(CancellationToken ct = default)
    {
        List<Guid> running;
        await using (var db = await dbs.CreateDbContextAsync(ct))
            running = await db.Canaries.Where(c => c.State == CanaryState.Running).Select(c => c.Id).ToListAsync(ct);
        foreach (var id in running)
            await WatchAsync(id, ct);
    }

    private async Task WatchAsync(Guid id, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var canary = await db.Canaries.Include(c => c.Deployment!.Revisions).SingleAsync(c => c.Id == id, ct);
        var (deployment, policy) = (canary.Deployment!, Json.Read<CanaryPolicy>(canary.PolicyJson));
        var candidate = await SampleAsync(db, deployment.Name, canary.Candidate, canary.CreatedAt, ct);
        var look = CanaryRule.LookAt(policy, candidate.Requests);
        if (canary.State != CanaryState.Running || look <= canary.Look)
            return;
        var report = CanaryRule.Judge(policy, await SampleAsync(db, deployment.Name, canary.Baseline, canary.CreatedAt, ct), candidate, look);
        (canary.Look, canary.ReportJson, canary.Reason) = (look, Json.Write(report), report.Words);
        if (report.Verdict == Verdict.Fail)
            await EndAsync(db, canary, CanaryState.RolledBack, canary.Baseline, ct);
        else if (look == policy.Looks)
            await EndAsync(db, canary, report.Verdict == Verdict.Pass ? CanaryState.Passed : CanaryState.Undecided, report.Verdict == Verdict.Pass && policy.Promote ? canary.Candidate : null, ct);
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateConcurrencyException)
        {
            return; // somebody moved the traffic in this moment, which ends the canary
        }
        await hints.ChangedAsync(Areas.Deployment, deployment.Id);
    }

    private async Task EndAsync(LlmOpsDb db, Canary canary, CanaryState state, int? winner, CancellationToken ct)
    {
        var (deployment, now) = (canary.Deployment!, time.GetUtcNow());
        (canary.State, canary.EndedAt) = (state, now);
        var before = deployment.Revisions.ToDictionary(r => r.Number, r => r.TrafficPercent);
        if (winner is { } number)
        {
            var loser = deployment.Revisions.Single(r => r.Number == (number == canary.Candidate ? canary.Baseline : canary.Candidate));
            deployment.Revisions.Single(r => r.Number == number).TrafficPercent += loser.TrafficPercent;
            loser.TrafficPercent = 0;
            deployment.Revision++;
            await db.AnnounceDeploymentAsync(deployment, deployment.Revisions, state == CanaryState.RolledBack ? "roll-back-canary" : "promote-canary", Actor.System.Name, now, ct);
        }
        db.Record(Actor.System, state == CanaryState.RolledBack ? "roll-back-canary" : "end-canary", "deployment", deployment.Name, now, before,
            new { state, canary.Reason, shares = deployment.Revisions.ToDictionary(r => r.Number, r => r.TrafficPercent) });
    }

    /// <summary>What a revision answered since then. A caller who gave up says nothing about the revision.</summary>
    private static async Task<CanarySample> SampleAsync(LlmOpsDb db, string deployment, int revision, DateTimeOffset since, CancellationToken ct)
    {
        var name = $"{deployment}#{revision}";
        var spans = db.Spans.AsNoTracking().Where(s => s.RevisionName == name && s.ParentSpanId == null && s.StartedAt >= since && s.Kind != ShadowKind && (s.Error == null || !s.Error.EndsWith(GaveUp)));
        var seen = await spans.Select(s => new { s.DurationMs, Failed = s.Error != null }).ToListAsync(ct);
        var scores = await db.Feedback.Where(f => spans.Any(s => s.TraceId == f.TraceId)).Select(f => f.Score).ToListAsync(ct);
        return new(seen.Count, seen.Count(s => s.Failed), [.. seen.Where(s => !s.Failed && s.DurationMs > 0).Select(s => Math.Log(s.DurationMs))], scores.Count(s => s > 0), scores.Count);
    }

    /// <summary>Kind of the traces of copied requests.</summary>
    public const string ShadowKind = "shadow";

    /// <summary>How the error of a request ends whose caller went away.</summary>
    public const string GaveUp = "The caller gave up.";
}
