using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

public sealed record DatasetSummary(Guid ExperimentId, string Name, string Digest, string? Context);

/// <summary>Experiments as clients see them, deleted ones included.</summary>
public sealed class ReadExperiments(IDbContextFactory<LlmOpsDb> dbs, TimeProvider time)
{
    public const int Usual = 1000, Most = 50_000;

    private static readonly TableShape Shape = new("experiments r", new Dictionary<string, TableColumn>
    {
        ["name"] = new("r.\"Name\"", SortKind.Text),
        ["creation_time"] = new("r.\"CreatedAt\"", SortKind.Whole),
        ["last_update_time"] = new("coalesce(r.\"UpdatedAt\", r.\"CreatedAt\")", SortKind.Whole),
        ["experiment_id"] = new("r.\"Id\"", SortKind.Id),
    }, ("experiment_tags", "ExperimentId"), ["name", "creation_time", "last_update_time", "experiment_id"], [new("r.\"CreatedAt\"", true, SortKind.Whole), new("r.\"Id\"", true, SortKind.Id)], ["attribute", "attributes", "attr"]);

    public async Task<Experiment> GetAsync(Guid id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (id == TrackingKeys.DefaultExperimentId)
            await CreateExperiment.EnsureDefaultAsync(db, time.GetUtcNow(), ct);
        return await db.Experiments.AsNoTracking().Include(e => e.Tags).SingleOrDefaultAsync(e => e.Id == id, ct)
            ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No Experiment with id={TrackingKeys.Text(id)} exists");
    }

    public async Task<Experiment> GetByNameAsync(string? name, CancellationToken ct = default)
    {
        TrackingKeys.Required(name, "experiment_name");
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (name == TrackingKeys.DefaultExperiment)
            await CreateExperiment.EnsureDefaultAsync(db, time.GetUtcNow(), ct);
        return await db.Experiments.AsNoTracking().Include(e => e.Tags).SingleOrDefaultAsync(e => e.Name == name, ct)
            ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Could not find experiment with name '{TrackingKeys.Shown(name!)}'");
    }

    public async Task<Page<Experiment>> SearchAsync(string? filter, ViewType view, IReadOnlyList<string>? orderBy, int? maxResults, string? pageToken, CancellationToken ct = default)
    {
        var most = TableSearch.EnsureSize(maxResults, Usual, Most);
        await using var db = await dbs.CreateDbContextAsync(ct);
        await CreateExperiment.EnsureDefaultAsync(db, time.GetUtcNow(), ct);
        var page = await TableSearch.FindAsync(db, Shape, filter, orderBy, most, pageToken, _ => view == ViewType.All ? [] : [$"r.\"DeletedAt\" IS {(view == ViewType.ActiveOnly ? "" : "NOT ")}NULL"], ct);
        var rows = new Dictionary<Guid, Experiment>();
        foreach (var part in page.Items.Chunk(500))
            foreach (var row in await db.Experiments.AsNoTracking().Include(e => e.Tags).Where(e => part.Contains(e.Id)).ToListAsync(ct))
                rows[row.Id] = row;
        return new([.. page.Items.Where(rows.ContainsKey).Select(id => rows[id])], page.NextPageToken);
    }

    /// <summary>Which data the runs of some experiments have read, and what for.</summary>
    public async Task<IReadOnlyList<DatasetSummary>> DatasetsAsync(IReadOnlyList<Guid> experiments, CancellationToken ct = default)
    {
        if (experiments.Count is 0 or > 100)
            throw LlmOpsException.Invalid($"SearchDatasets request must specify at least one and at most 100 experiment_ids. Got {experiments.Count}.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await (from d in db.LoggedDatasets.AsNoTracking()
                      join r in db.RunDatasets.AsNoTracking() on d.Id equals r.DatasetId
                      where experiments.Contains(d.ExperimentId)
                      group r by new { d.ExperimentId, d.Name, d.Digest, r.Context } into g
                      orderby g.Key.Name, g.Key.Digest, g.Key.Context
                      select new DatasetSummary(g.Key.ExperimentId, g.Key.Name, g.Key.Digest, g.Key.Context)).Take(1000).ToListAsync(ct);
    }
}
