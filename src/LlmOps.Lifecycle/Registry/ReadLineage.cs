using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Promotion;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

public sealed record LineageVersion(Guid Id, string Model, int Number, string Stage, DateTimeOffset CreatedAt);

public sealed record LineageDataset(string Key, bool Exists, string? Kind, int TrainRows, string? Digest);

public sealed record LineageRun(Guid Id, string Experiment, string Name);

public sealed record LineageStage(Guid PipelineRunId, string Pipeline, int RunNumber, string Stage, string Kind);

/// <param name="Parents">The way back to the first version, nearest first.</param>
public sealed record Lineage(IReadOnlyList<LineageVersion> Parents, IReadOnlyList<LineageVersion> Children, IReadOnlyList<LineageDataset> Datasets, LineageRun? Run, LineageStage? MadeBy);

public sealed record ServingRow(string Deployment, DeploymentKind Kind, int Revision, string Variant, int TrafficPercent, bool Stopped, DateTimeOffset CreatedAt);

public sealed record VersionEvent(DateTimeOffset At, string Who, string What, string? Href = null, string? Detail = null);

/// <summary>Where a version comes from, where it runs and what happened to it.</summary>
public sealed class ReadLineage(IDbContextFactory<LlmOpsDb> dbs)
{
    private const int LongestChain = 32;

    public async Task<Lineage> OfAsync(VersionDetail version, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var parents = new List<LineageVersion>();
        for (var next = version.ParentId; next is { } id && parents.Count < LongestChain;)
        {
            var parent = await db.ModelVersions.AsNoTracking().Where(v => v.Id == id)
                .Select(v => new { Row = new LineageVersion(v.Id, v.Model!.Name, v.Number, v.Stage, v.CreatedAt), v.ParentVersionId }).SingleOrDefaultAsync(ct);
            if (parent is null)
                break;
            parents.Add(parent.Row);
            next = parent.ParentVersionId;
        }
        var children = await db.ModelVersions.AsNoTracking().Where(v => v.ParentVersionId == version.Id).OrderBy(v => v.CreatedAt)
            .Select(v => new LineageVersion(v.Id, v.Model!.Name, v.Number, v.Stage, v.CreatedAt)).Take(100).ToListAsync(ct);
        var run = version.RunId is { } runId
            ? await db.Runs.AsNoTracking().Where(r => r.Id == runId).Select(r => new LineageRun(r.Id, r.Experiment!.Name, r.Name)).SingleOrDefaultAsync(ct) : null;
        var stage = version.JobId is { } jobId
            ? await (from j in db.Jobs.AsNoTracking()
                     join s in db.StageRuns.AsNoTracking() on j.StageRunId equals s.Id
                     where j.Id == jobId
                     select new LineageStage(s.PipelineRunId, s.PipelineRun!.Name, s.PipelineRun.Number, s.Name, s.Kind)).SingleOrDefaultAsync(ct) : null;
        return new(parents, children, await DatasetsAsync(db, version.Datasets, ct), run, stage);
    }

    public async Task<IReadOnlyList<ServingRow>> ServingAsync(Guid versionId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Revisions.AsNoTracking().Where(r => r.VersionId == versionId).OrderByDescending(r => r.TrafficPercent).ThenByDescending(r => r.CreatedAt).Take(200)
            .Select(r => new ServingRow(r.Deployment!.Name, r.Deployment.Kind, r.Number, r.VariantName, r.TrafficPercent, r.Deployment.Stopped, r.CreatedAt)).ToListAsync(ct);
    }

    public async Task<IReadOnlyList<VersionEvent>> HistoryAsync(VersionDetail version, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var events = new List<VersionEvent> { new(version.CreatedAt, version.CreatedBy, $"Version {version.Number} made by {version.Stage}") };
        events.AddRange(version.Variants.Select(v => new VersionEvent(v.CreatedAt, version.CreatedBy, $"Variant {v.Name} added", null, v.SourceVariant is null ? null : $"from {v.SourceVariant}")));
        foreach (var run in await db.EvaluationRuns.AsNoTracking().Where(r => r.VersionId == version.Id).OrderByDescending(r => r.StartedAt).Take(100).Select(r => new { r.Id, r.VariantName, r.State, r.StartedAt, r.CreatedBy, r.Suite!.Name }).ToListAsync(ct))
            events.Add(new(run.StartedAt, run.CreatedBy, $"{run.VariantName} measured with {run.Name}", $"/evaluations/{run.Id}", run.State.ToString()));
        foreach (var gate in await db.GateDecisions.AsNoTracking().Where(g => g.VersionId == version.Id).OrderByDescending(g => g.At).Take(100).Select(g => new { g.VariantName, g.Verdict, g.Chosen, g.At }).ToListAsync(ct))
            events.Add(new(gate.At, "gate", $"Gate: {gate.VariantName} {(gate.Verdict == Verdict.CannotTell ? "cannot be told" : gate.Verdict == Verdict.Pass ? "passed" : "failed")}{(gate.Chosen ? ", goes on" : "")}"));
        foreach (var a in await db.Approvals.AsNoTracking().Where(a => a.VersionId == version.Id).OrderByDescending(a => a.CreatedAt).Take(100)
            .Select(a => new { a.Id, a.VariantName, a.AliasName, a.State, a.RequestedBy, a.CreatedAt, a.DecidedBy, a.DecidedAt, a.Comment }).ToListAsync(ct))
        {
            events.Add(new(a.CreatedAt, a.RequestedBy, $"Asked for {a.VariantName} to become {a.AliasName}", $"/approvals/{a.Id}"));
            if (a is { DecidedAt: { } decided, DecidedBy: { } who })
                events.Add(new(decided, who, $"{a.State}: {a.VariantName} as {a.AliasName}", $"/approvals/{a.Id}", a.Comment));
        }
        foreach (var r in await db.Revisions.AsNoTracking().Where(r => r.VersionId == version.Id).OrderByDescending(r => r.CreatedAt).Take(100).Select(r => new { r.Deployment!.Name, r.Number, r.VariantName, r.CreatedAt, r.CreatedBy }).ToListAsync(ct))
            events.Add(new(r.CreatedAt, r.CreatedBy, $"{r.VariantName} deployed as {r.Name}, revision {r.Number}", $"/deployments/{r.Name}"));
        return [.. events.OrderByDescending(e => e.At)];
    }

    private static async Task<IReadOnlyList<LineageDataset>> DatasetsAsync(LlmOpsDb db, IReadOnlyList<string> keys, CancellationToken ct)
    {
        string[] names = [.. keys.Select(k => k[..Math.Max(0, k.LastIndexOf('/'))]).Distinct()];
        var known = await db.DatasetVersions.AsNoTracking().Where(v => names.Contains(v.Dataset!.Name))
            .Select(v => new { v.Dataset!.Name, v.Number, v.Dataset.Kind, v.TrainRows, v.ArtifactDigest }).ToListAsync(ct);
        return [.. keys.Select(key => known.FirstOrDefault(v => $"{v.Name}/{v.Number}" == key) is { } v
            ? new LineageDataset(key, true, v.Kind.ToString(), v.TrainRows, v.ArtifactDigest) : new LineageDataset(key, false, null, 0, null))];
    }
}
