using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle;

/// <param name="Kind">The thing's word: Model, Version, Dataset, Experiment, Run, Pipeline, Pipeline run, Judge, Deployment, Knowledge.</param>
/// <param name="Path">Its page, the same for people and in links that programs print.</param>
public sealed record Found(string Kind, string Title, string Path, string? Detail);

/// <summary>Finds anything by a part of its name; "name/3" finds version 3 of what is called so.</summary>
public sealed class SearchEverything(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <param name="take">Most hits of each kind.</param>
    public async Task<IReadOnlyList<Found>> FindAsync(string text, int take = 5, CancellationToken ct = default)
    {
        var needle = text.Trim().ToLowerInvariant();
        if (needle.Length == 0)
            return [];
        int? number = null;
        if (needle.LastIndexOf('/') is > 0 and var slash && int.TryParse(needle[(slash + 1)..], out var wanted))
            (needle, number) = (needle[..slash], wanted);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var found = new List<Found>();
        found.AddRange(await VersionsAsync(db, needle, number, take, ct));
        if (number is not null)
            return found;
        foreach (var m in await db.Models.AsNoTracking().Where(m => m.Name.ToLower().Contains(needle)).OrderBy(m => m.Name).Take(take).Select(m => new { m.Name, Count = m.Versions.Count }).ToListAsync(ct))
            found.Add(new("Model", m.Name, $"/models/{m.Name}", Counted(m.Count, "version")));
        foreach (var d in await db.Datasets.AsNoTracking().Where(d => d.Name.ToLower().Contains(needle)).OrderBy(d => d.Name).Take(take).Select(d => new { d.Name, d.Kind, Newest = d.Versions.Max(v => (int?)v.Number) }).ToListAsync(ct))
            found.Add(new("Dataset", d.Name, d.Newest is { } newest ? $"/datasets/{d.Name}/{newest}" : "/datasets", d.Kind.ToString().ToLowerInvariant()));
        foreach (var e in await db.Experiments.AsNoTracking().Where(e => e.Name.ToLower().Contains(needle)).OrderBy(e => e.Name).Take(take).Select(e => new { e.Name, Count = db.Runs.Count(r => r.ExperimentId == e.Id) }).ToListAsync(ct))
            found.Add(new("Experiment", e.Name, $"/experiments/{Uri.EscapeDataString(e.Name)}", Counted(e.Count, "run")));
        foreach (var r in await db.Runs.AsNoTracking().Where(r => r.Name.ToLower().Contains(needle)).OrderByDescending(r => r.StartedAt).Take(take).Select(r => new { r.Id, r.Name, Experiment = r.Experiment!.Name, r.State }).ToListAsync(ct))
            found.Add(new("Run", r.Name, $"/runs/{r.Id}", $"{r.Experiment}, {r.State.ToString().ToLowerInvariant()}"));
        foreach (var p in await db.PipelineDefinitions.AsNoTracking().Where(p => p.Name.ToLower().Contains(needle)).OrderBy(p => p.Name).Take(take).Select(p => new { p.Name, p.Description }).ToListAsync(ct))
            found.Add(new("Pipeline", p.Name, $"/pipelines/{p.Name}", p.Description));
        foreach (var r in await db.PipelineRuns.AsNoTracking().Where(r => r.Name.ToLower().Contains(needle)).OrderByDescending(r => r.CreatedAt).Take(take).Select(r => new { r.Id, r.Name, r.Number, r.State }).ToListAsync(ct))
            found.Add(new("Pipeline run", $"{r.Name} #{r.Number}", $"/pipeline-runs/{r.Id}", r.State.ToString()));
        foreach (var s in await db.EvaluationSuites.AsNoTracking().Where(s => s.Name.ToLower().Contains(needle)).OrderBy(s => s.Name).Take(take).Select(s => s.Name).ToListAsync(ct))
            found.Add(new("Evaluation", s, $"/evaluations?q={Uri.EscapeDataString(s)}", "suite"));
        foreach (var j in await db.Judges.AsNoTracking().Where(j => j.Name.ToLower().Contains(needle)).GroupBy(j => j.Name).OrderBy(g => g.Key).Take(take).Select(g => new { Name = g.Key, Count = g.Count() }).ToListAsync(ct))
            found.Add(new("Judge", j.Name, $"/judges/{j.Name}", Counted(j.Count, "version")));
        foreach (var d in await db.Deployments.AsNoTracking().Where(d => d.Name.ToLower().Contains(needle)).OrderBy(d => d.Name).Take(take).Select(d => new { d.Name, d.Kind }).ToListAsync(ct))
            found.Add(new("Deployment", d.Name, $"/deployments/{d.Name}", d.Kind.ToString().ToLowerInvariant()));
        foreach (var k in await db.KnowledgeBases.AsNoTracking().Where(k => k.Name.ToLower().Contains(needle)).OrderBy(k => k.Name).Take(take).Select(k => k.Name).ToListAsync(ct))
            found.Add(new("Knowledge", k, $"/knowledge/{k}", null));
        return found;
    }

    private static async Task<IEnumerable<Found>> VersionsAsync(LlmOpsDb db, string needle, int? number, int take, CancellationToken ct)
    {
        if (number is null)
            return [];
        var models = await db.ModelVersions.AsNoTracking().Where(v => v.Number == number && v.Model!.Name.ToLower().Contains(needle)).OrderBy(v => v.Model!.Name).Take(take)
            .Select(v => new { v.Model!.Name, v.Stage }).ToListAsync(ct);
        var datasets = await db.DatasetVersions.AsNoTracking().Where(v => v.Number == number && v.Dataset!.Name.ToLower().Contains(needle)).OrderBy(v => v.Dataset!.Name).Take(take)
            .Select(v => new { v.Dataset!.Name, v.TrainRows }).ToListAsync(ct);
        return [.. models.Select(m => new Found("Version", $"{m.Name}/{number}", $"/models/{m.Name}/{number}", m.Stage)),
            .. datasets.Select(d => new Found("Dataset version", $"{d.Name}/{number}", $"/datasets/{d.Name}/{number}", $"{d.TrainRows} training rows"))];
    }

    private static string Counted(int count, string noun) => $"{count} {noun}{(count == 1 ? "" : "s")}";
}
