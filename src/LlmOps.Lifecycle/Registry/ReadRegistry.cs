using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <summary>A version as a client of the MLflow API sees it.</summary>
/// <param name="Stage">None, Staging, Production or Archived.</param>
public sealed record RegisteredVersion(ModelVersion Version, string Model, IReadOnlyList<string> Aliases, string Stage);

/// <param name="Latest">The newest version of each stage.</param>
public sealed record RegisteredModelDetail(RegisteredModel Model, IReadOnlyList<(string Alias, int Number)> Aliases, IReadOnlyList<RegisteredVersion> Latest);

/// <summary>Registered models and versions for clients: the same rows that the pages show.</summary>
public sealed class ReadRegistry(IDbContextFactory<LlmOpsDb> dbs)
{
    public const int UsualModels = 100, MostModels = 1000, MostVersions = 200_000;
    private const string PromptTag = "mlflow.prompt.is_prompt";

    private static readonly IReadOnlyList<string> Prefixes = ["attribute", "attributes", "attr"];

    private static readonly TableShape Models = new("models r", new Dictionary<string, TableColumn>
    {
        ["name"] = new("r.\"Name\"", SortKind.Text),
        ["creation_timestamp"] = new("r.\"CreatedAt\"", SortKind.Whole),
        ["last_updated_timestamp"] = new("coalesce(r.\"UpdatedAt\", r.\"CreatedAt\")", SortKind.Whole),
        ["timestamp"] = new("coalesce(r.\"UpdatedAt\", r.\"CreatedAt\")", SortKind.Whole),
    }, ("model_tags", "ModelId"), ["name", "creation_timestamp", "last_updated_timestamp", "timestamp"], [new("r.\"Name\"", false, SortKind.Text), new("r.\"Id\"", false, SortKind.Id)], Prefixes)
    { TagsThatMayLack = [PromptTag] };

    private static readonly TableShape Versions = new("model_versions r JOIN models m ON m.\"Id\" = r.\"ModelId\"", new Dictionary<string, TableColumn>
    {
        ["name"] = new("m.\"Name\"", SortKind.Text),
        ["version_number"] = new("r.\"Number\"", SortKind.Whole),
        ["version"] = new("r.\"Number\"", SortKind.Whole),
        ["run_id"] = new("r.\"RunId\"", SortKind.Id),
        ["source_path"] = new("coalesce(r.\"Source\", '')", SortKind.Text),
        ["source"] = new("coalesce(r.\"Source\", '')", SortKind.Text),
        ["creation_timestamp"] = new("r.\"CreatedAt\"", SortKind.Whole),
        ["last_updated_timestamp"] = new("coalesce(r.\"UpdatedAt\", r.\"CreatedAt\")", SortKind.Whole),
    }, ("model_version_tags", "VersionId"), ["name", "version_number", "creation_timestamp", "last_updated_timestamp"],
        [new("m.\"Name\"", false, SortKind.Text), new("r.\"Number\"", true, SortKind.Whole), new("r.\"Id\"", false, SortKind.Id)], Prefixes) { TagsThatMayLack = [PromptTag] };

    public async Task<RegisteredModelDetail> GetAsync(string? name, CancellationToken ct = default)
    {
        TrackingKeys.Required(name, "name");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var id = await db.Models.AsNoTracking().Where(m => m.Name == name).Select(m => (Guid?)m.Id).SingleOrDefaultAsync(ct) ?? throw ChangeModel.NotFound(name!);
        return (await LoadAsync(db, [id], ct))[0];
    }

    public async Task<Page<RegisteredModelDetail>> SearchAsync(string? filter, IReadOnlyList<string>? orderBy, int? maxResults, string? pageToken, CancellationToken ct = default)
    {
        var most = TableSearch.EnsureSize(maxResults, UsualModels, MostModels);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var page = await TableSearch.FindAsync(db, Models, filter, orderBy, most, pageToken, _ => [], ct);
        return new(await LoadAsync(db, page.Items, ct), page.NextPageToken);
    }

    public async Task<RegisteredVersion> VersionAsync(string? name, int number, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return (await LoadVersionsAsync(db, [(await ChangeVersion.GetAsync(db, name, number, ct)).Id], ct))[0];
    }

    public async Task<RegisteredVersion> ByAliasAsync(string? name, string? alias, CancellationToken ct = default)
    {
        TrackingKeys.Required(alias, "alias");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var model = await ChangeModel.GetAsync(db, name, ct);
        var version = await db.Aliases.AsNoTracking().Where(a => a.ModelId == model.Id && a.Name == alias).Select(a => (Guid?)a.VersionId).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.Invalid($"Registered model alias {TrackingKeys.Shown(alias!)} not found.");
        return (await LoadVersionsAsync(db, [version], ct))[0];
    }

    public async Task<Page<RegisteredVersion>> SearchVersionsAsync(string? filter, IReadOnlyList<string>? orderBy, int? maxResults, string? pageToken, CancellationToken ct = default)
    {
        var most = TableSearch.EnsureSize(maxResults, 10_000, MostVersions);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var page = await TableSearch.FindAsync(db, Versions, filter, orderBy, most, pageToken, _ => [], ct);
        return new(await LoadVersionsAsync(db, page.Items, ct), page.NextPageToken);
    }

    private static async Task<IReadOnlyList<RegisteredModelDetail>> LoadAsync(LlmOpsDb db, IReadOnlyList<Guid> ids, CancellationToken ct)
    {
        var models = await db.Models.AsNoTracking().Include(m => m.Tags).Where(m => ids.Contains(m.Id)).ToDictionaryAsync(m => m.Id, ct);
        var aliases = (await (from a in db.Aliases.AsNoTracking()
                              join v in db.ModelVersions.AsNoTracking() on a.VersionId equals v.Id
                              where ids.Contains(a.ModelId)
                              select new { a.ModelId, a.Name, a.VersionId, v.Number }).ToListAsync(ct)).ToLookup(a => a.ModelId);
        // One of each stage at most: those behind the two aliases, the newest archived one, and the newest of the others.
        var held = aliases.SelectMany(a => a).Where(a => a.Name is "staging" or "production").Select(a => a.VersionId).Distinct().ToList();
        var newest = await db.ModelVersions.AsNoTracking().Where(v => ids.Contains(v.ModelId) && !held.Contains(v.Id)).GroupBy(v => new { v.ModelId, v.IsArchived })
            .Select(g => g.OrderByDescending(v => v.Number).First().Id).ToListAsync(ct);
        var latest = (await LoadVersionsAsync(db, [.. held, .. newest], ct)).ToLookup(v => v.Version.ModelId);
        return [.. ids.Where(models.ContainsKey).Select(id => new RegisteredModelDetail(models[id], [.. aliases[id].OrderBy(a => a.Name, StringComparer.Ordinal).Select(a => (a.Name, a.Number))],
            [.. latest[id].OrderByDescending(v => v.Version.Number).DistinctBy(v => v.Stage)]))];
    }

    /// <summary>In the order of the ids.</summary>
    private static async Task<IReadOnlyList<RegisteredVersion>> LoadVersionsAsync(LlmOpsDb db, IReadOnlyList<Guid> ids, CancellationToken ct)
    {
        var found = new List<RegisteredVersion>(ids.Count);
        foreach (var part in ids.Chunk(500))
        {
            var versions = await db.ModelVersions.AsNoTracking().Include(v => v.Model).Include(v => v.Tags).Where(v => part.Contains(v.Id)).ToDictionaryAsync(v => v.Id, ct);
            var aliases = (await db.Aliases.AsNoTracking().Where(a => part.Contains(a.VersionId)).Select(a => new { a.VersionId, a.Name }).ToListAsync(ct)).ToLookup(a => a.VersionId, a => a.Name);
            found.AddRange(part.Where(versions.ContainsKey).Select(id => new RegisteredVersion(versions[id], versions[id].Model!.Name, [.. aliases[id].Order(StringComparer.Ordinal)],
                aliases[id].Contains("production") ? "Production" : aliases[id].Contains("staging") ? "Staging" : versions[id].IsArchived ? "Archived" : "None")));
        }
        return found;
    }
}
