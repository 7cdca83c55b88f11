using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Deployments;

public sealed class Deploy(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task<Revision> DeployAsync(string name, DeploymentKind kind, string version, string variant, Guid? indexBuildId, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Deploy);
        var revision = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var added = await AddRevisionAsync(db, name, kind, version, variant, indexBuildId, null, actor, time.GetUtcNow(), ct);
            await db.SaveChangesAsync(ct);
            return added;
        });
        await hints.ChangedAsync(Areas.Deployment, revision.DeploymentId);
        return revision;
    }

    /// <summary>Adds a revision that takes all traffic. Only an approved variant can be served.</summary>
    /// <param name="announce">False when the caller moves traffic as well and tells of both at once.</param>
    public static async Task<Revision> AddRevisionAsync(LlmOpsDb db, string name, DeploymentKind kind, string version, string variant, Guid? indexBuildId, Guid? jobId, Actor actor, DateTimeOffset now, CancellationToken ct, bool announce = true)
    {
        name = ModelName.Parse(name);
        var served = await db.ModelVersions.GetAsync(VersionKey.ParseRegistered(version), ct);
        if (served.Stage == ModelVersion.Registered)
            throw LlmOpsException.Invalid($"{version} was registered by a client and its files are not a checkpoint of this product, so nothing can be served from it. Import the checkpoint as a version, then deploy that.");
        if (SmallModels.IsOne(served))
            throw LlmOpsException.Invalid($"{version} is a small model ({served.Stage}), which no chat can be served from. Deploy a language model, or download the variant's ONNX file and run it where it is needed.");
        if (!await db.ModelVariants.AnyAsync(v => v.VersionId == served.Id && v.Name == variant, ct))
            throw LlmOpsException.NotFound($"Variant of {version}", variant);
        if (!await db.Approvals.AnyAsync(a => a.VersionId == served.Id && a.VariantName == variant && a.State == ApprovalState.Approved, ct))
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{version}:{variant} was never approved. Ask for its promotion first; a second person has to approve it.");
        if (kind == DeploymentKind.Rag && !await db.IndexBuilds.AnyAsync(i => i.Id == indexBuildId, ct))
            throw LlmOpsException.Invalid("A RAG deployment needs an index. Build one on a knowledge base first.");
        var deployment = await db.Deployments.Include(d => d.Revisions).SingleOrDefaultAsync(d => d.Name == name, ct);
        if (deployment is null)
            db.Deployments.Add(deployment = new Deployment { Name = name, Kind = kind, CreatedBy = actor.Name, CreatedAt = now });
        else if (deployment.Kind != kind)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{name} is a {deployment.Kind} deployment. Choose another name for a {kind} deployment.");
        var before = deployment.Revisions.Where(r => r.TrafficPercent > 0).Select(r => new { r.Number, r.TrafficPercent }).ToList();
        foreach (var old in deployment.Revisions)
            old.TrafficPercent = 0;
        foreach (var canary in await db.Canaries.Where(c => c.DeploymentId == deployment.Id && c.State == CanaryState.Running).ToListAsync(ct))
            (canary.State, canary.EndedAt, canary.Reason) = (CanaryState.Stopped, now, $"{actor.Name} deployed another revision.");
        var revision = new Revision
        {
            DeploymentId = deployment.Id, Number = deployment.Revisions.Select(r => r.Number).DefaultIfEmpty(0).Max() + 1, VersionId = served.Id, VariantName = variant,
            IndexBuildId = indexBuildId, TrafficPercent = 100, ProducedByJobId = jobId, CreatedBy = actor.Name, CreatedAt = now,
        };
        db.Revisions.Add(revision);
        deployment.Revision++;
        deployment.Stopped = false;
        db.Record(actor, "deploy", "deployment", name, now, before, new { revision.Number, version, variant });
        if (announce)
            await db.AnnounceDeploymentAsync(deployment, deployment.Revisions.Append(revision).Distinct(), "deploy", actor.Name, now, ct);
        return revision;
    }
}

/// <summary>Moves traffic between revisions that exist.</summary>
public sealed class ShiftTraffic(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task ShiftAsync(string name, IReadOnlyDictionary<int, int> percentByRevision, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.Deploy);
        if (percentByRevision.Values.Any(p => p is < 0 or > 100) || percentByRevision.Values.Sum() != 100)
            throw LlmOpsException.Invalid("The shares are whole percentages that add up to 100.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var deployment = await db.Deployments.Include(d => d.Revisions).SingleOrDefaultAsync(d => d.Name == name, ct) ?? throw LlmOpsException.NotFound("Deployment", name);
        if (percentByRevision.Keys.Where(n => deployment.Revisions.All(r => r.Number != n)).ToList() is [var unknown, ..])
            throw LlmOpsException.NotFound($"Revision of {name}", unknown);
        var before = deployment.Revisions.ToDictionary(r => r.Number, r => r.TrafficPercent);
        foreach (var revision in deployment.Revisions)
            revision.TrafficPercent = percentByRevision.GetValueOrDefault(revision.Number);
        deployment.Revision++;
        foreach (var canary in await db.Canaries.Where(c => c.DeploymentId == deployment.Id && c.State == CanaryState.Running).ToListAsync(ct))
            (canary.State, canary.EndedAt, canary.Reason) = (CanaryState.Stopped, time.GetUtcNow(), $"{actor.Name} moved the traffic.");
        db.Record(actor, "shift-traffic", "deployment", name, time.GetUtcNow(), before, percentByRevision);
        await db.AnnounceDeploymentAsync(deployment, deployment.Revisions, "shift-traffic", actor.Name, time.GetUtcNow(), ct);
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateConcurrencyException e)
        {
            throw new LlmOpsException(ErrorCode.ResourceConflict, "Somebody else changed this deployment in this moment. Look at it again, then repeat.", e);
        }
        await hints.ChangedAsync(Areas.Deployment, deployment.Id);
    }

    /// <summary>All traffic back to the revision before the newest one that serves.</summary>
    public async Task<int> RollbackAsync(string name, Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var numbers = await db.Revisions.Where(r => r.Deployment!.Name == name).OrderByDescending(r => r.Number).Select(r => new { r.Number, r.TrafficPercent }).ToListAsync(ct);
        var serving = numbers.FirstOrDefault(r => r.TrafficPercent > 0)?.Number ?? throw LlmOpsException.NotFound("Deployment", name);
        var previous = numbers.FirstOrDefault(r => r.Number < serving)?.Number
            ?? throw new LlmOpsException(ErrorCode.ResourceConflict, $"{name} has no earlier revision to go back to.");
        await ShiftAsync(name, new Dictionary<int, int> { [previous] = 100 }, actor, ct);
        return previous;
    }
}
