using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Sweeps;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Pipelines;

public sealed record PipelineRow(Guid Id, string Name, string Description, int Revision, DateTimeOffset ChangedAt, string ChangedBy, int Runs, LatestRun? Latest);

public sealed record LatestRun(Guid Id, int Number, PipelineState State, DateTimeOffset CreatedAt, DateTimeOffset? EndedAt);

public sealed record PipelineRunRow(Guid Id, string Pipeline, int Number, PipelineState State, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset? EndedAt, int Stages, int StagesDone);

/// <param name="Search">Part of the name.</param>
public sealed record PipelineRunFilter(string? Pipeline = null, PipelineState? State = null, string? Search = null);

/// <summary>Who made a definition: somebody, or a sweep for its trials.</summary>
public enum PipelineOrigin { Written, Sweep, Any }

/// <summary>Definitions and their runs, as lists show them.</summary>
public sealed class ReadPipelines(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <param name="origin">What sweeps made for their trials is found on their pages; a list of pipelines would consist of little else.</param>
    public async Task<Window<PipelineRow>> ListAsync(string? search, int skip, int take, PipelineOrigin origin = PipelineOrigin.Written, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var definitions = db.PipelineDefinitions.AsNoTracking();
        if (origin != PipelineOrigin.Any)
            definitions = definitions.Where(d => db.Sweeps.Any(s => d.Name == TrialDocument.Prefix + s.Name) == (origin == PipelineOrigin.Sweep));
        if (!string.IsNullOrWhiteSpace(search))
        {
            var text = search.Trim().ToLowerInvariant();
            definitions = definitions.Where(d => d.Name.Contains(text) || d.Description.ToLower().Contains(text));
        }
        var page = await definitions.OrderBy(d => d.Name)
            .Select(d => new PipelineRow(d.Id, d.Name, d.Description, d.Revision, d.ChangedAt, d.ChangedBy, db.PipelineRuns.Count(r => r.DefinitionId == d.Id), null))
            .WindowAsync(skip, take, ct);
        var ids = page.Rows.Select(r => r.Id).ToList();
        var latest = await db.PipelineRuns.AsNoTracking()
            .Where(r => ids.Contains(r.DefinitionId) && r.Number == db.PipelineRuns.Where(x => x.DefinitionId == r.DefinitionId).Max(x => x.Number))
            .Select(r => new { r.DefinitionId, Run = new LatestRun(r.Id, r.Number, r.State, r.CreatedAt, r.EndedAt) }).ToDictionaryAsync(r => r.DefinitionId, r => r.Run, ct);
        return page with { Rows = [.. page.Rows.Select(r => r with { Latest = latest.GetValueOrDefault(r.Id) })] };
    }

    public async Task<PipelineDefinition> GetAsync(string name, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.PipelineDefinitions.AsNoTracking().SingleOrDefaultAsync(d => d.Name == name, ct) ?? throw LlmOpsException.NotFound("Pipeline", name);
    }

    public async Task<IReadOnlyList<string>> NamesAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.PipelineDefinitions.OrderBy(d => d.Name).Select(d => d.Name).ToListAsync(ct);
    }

    /// <summary>Newest first.</summary>
    public async Task<Window<PipelineRunRow>> RunsAsync(PipelineRunFilter filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var runs = db.PipelineRuns.AsNoTracking();
        if (filter.Pipeline is { Length: > 0 } pipeline)
            runs = runs.Where(r => r.Definition!.Name == pipeline);
        if (filter.State is { } state)
            runs = runs.Where(r => r.State == state);
        if (!string.IsNullOrWhiteSpace(filter.Search))
        {
            var text = filter.Search.Trim().ToLowerInvariant();
            runs = runs.Where(r => r.Name.Contains(text) || r.CreatedBy.ToLower().Contains(text));
        }
        return await runs.OrderByDescending(r => r.CreatedAt).ThenByDescending(r => r.Id)
            .Select(r => new PipelineRunRow(r.Id, r.Name, r.Number, r.State, r.CreatedBy, r.CreatedAt, r.EndedAt, r.Stages.Count, r.Stages.Count(s => s.State == StageState.Succeeded)))
            .WindowAsync(skip, take, ct);
    }
}
