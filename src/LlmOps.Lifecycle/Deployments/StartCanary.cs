using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Deployments;

/// <summary>Gives a new revision a share of the traffic and watches it; the revision that serves most keeps the rest.</summary>
public sealed class StartCanary(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task<Canary> StartAsync(string name, string version, string variant, Guid? indexBuildId, int percent, CanaryPolicy policy, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Deploy);
        policy.Ensure();
        if (percent is < 1 or > 50)
            throw LlmOpsException.Invalid("A canary takes 1 to 50 percent of the traffic.");
        var started = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var deployment = await db.Deployments.Include(d => d.Revisions).SingleOrDefaultAsync(d => d.Name == name, ct) ?? throw LlmOpsException.NotFound("Deployment", name);
            if (await db.Canaries.AnyAsync(c => c.DeploymentId == deployment.Id && c.State == CanaryState.Running, ct))
                throw new LlmOpsException(ErrorCode.ResourceConflict, $"{name} has a canary already. Wait for its end, or move the traffic to end it.");
            var baseline = deployment.Revisions.Where(r => r.TrafficPercent > 0).OrderByDescending(r => r.TrafficPercent).ThenByDescending(r => r.Number).FirstOrDefault()
                ?? throw new LlmOpsException(ErrorCode.ResourceConflict, $"{name} is stopped: there is nothing to compare a canary with. Deploy a revision first.");
            var now = time.GetUtcNow();
            var revision = await Deploy.AddRevisionAsync(db, name, deployment.Kind, version, variant, indexBuildId, null, actor, now, ct, announce: false);
            (revision.TrafficPercent, baseline.TrafficPercent) = (percent, 100 - percent);
            var canary = new Canary { DeploymentId = deployment.Id, Baseline = baseline.Number, Candidate = revision.Number, PolicyJson = Json.Write(policy), CreatedBy = actor.Name, CreatedAt = now };
            db.Canaries.Add(canary);
            db.Record(actor, "start-canary", "deployment", name, now, after: new { canary.Baseline, canary.Candidate, percent, policy });
            await db.AnnounceDeploymentAsync(deployment, deployment.Revisions.Append(revision).Distinct(), "start-canary", actor.Name, now, ct);
            await db.SaveChangesAsync(ct);
            return canary;
        });
        await hints.ChangedAsync(Areas.Deployment, started.DeploymentId);
        return started;
    }
}

/// <summary>Copies a share of the requests to a revision whose answers nobody sees, to try it on real questions.</summary>
public sealed class ShadowTraffic(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task SetAsync(string name, int revision, int percent, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Deploy);
        if (percent is < 0 or > 100)
            throw LlmOpsException.Invalid("A shadow's share is 0 to 100 percent.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var deployment = await db.Deployments.Include(d => d.Revisions).SingleOrDefaultAsync(d => d.Name == name, ct) ?? throw LlmOpsException.NotFound("Deployment", name);
        var chosen = deployment.Revisions.SingleOrDefault(r => r.Number == revision) ?? throw LlmOpsException.NotFound($"Revision of {name}", revision);
        if (deployment.Kind != DeploymentKind.Chat)
            throw LlmOpsException.Invalid($"{name} quotes from documents: only a chat's requests can be copied.");
        var before = chosen.ShadowPercent;
        chosen.ShadowPercent = percent;
        deployment.Revision++;
        db.Record(actor, "shadow", "deployment", name, time.GetUtcNow(), new { revision, percent = before }, new { revision, percent });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Deployment, deployment.Id);
    }
}
