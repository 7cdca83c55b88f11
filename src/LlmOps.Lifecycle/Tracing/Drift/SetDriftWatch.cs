using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <summary>Has a deployment looked at by the clock, or no longer.</summary>
public sealed class SetDriftWatch(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    /// <param name="asked">Null keeps the policy that there is, or takes the usual one.</param>
    public async Task SetAsync(string deployment, DriftPolicy? asked, bool enabled, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Deploy);
        asked?.Ensure();
        var id = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var known = await db.Deployments.Where(d => d.Name == deployment).Select(d => (Guid?)d.Id).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Deployment", deployment);
            var watch = await db.DriftWatches.SingleOrDefaultAsync(w => w.DeploymentId == known, ct);
            var (before, now) = (watch is null ? null : new { watch.Enabled, Policy = Json.Read<DriftPolicy>(watch.PolicyJson) }, time.GetUtcNow());
            var policy = asked ?? before?.Policy ?? new();
            if (watch is null)
                db.DriftWatches.Add(watch = new DriftWatch { DeploymentId = known, PolicyJson = "", ChangedBy = actor.Name });
            (watch.PolicyJson, watch.Enabled, watch.ChangedBy, watch.ChangedAt) = (Json.Write(policy), enabled, actor.Name, now);
            db.Record(actor, "watch-drift", "deployment", deployment, now, before, new { enabled, policy });
            await db.SaveChangesAsync(ct);
            return known;
        });
        await hints.ChangedAsync(Areas.Deployment, id);
    }
}
