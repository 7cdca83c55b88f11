using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

public sealed record NewLoggedModel(Guid ExperimentId, string? Name, string? ModelType, Guid? SourceRunId, IReadOnlyList<KeyValue> Params, IReadOnlyList<KeyValue> Tags, string User);

public sealed record ModelRegistration(string Name, int Version);

/// <param name="Registrations">The versions that were registered from it.</param>
public sealed record LoggedModelDetail(LoggedModel Model, string? ArtifactLocation, IReadOnlyList<ModelRegistration> Registrations);

/// <summary>Logs a model and says how its upload went.</summary>
public sealed class LogModel(WriteGroups groups, ReadLoggedModels read, TimeProvider time)
{
    private const int MostParams = 100, LongestName = 500;

    public async Task<LoggedModelDetail> CreateAsync(NewLoggedModel wanted, CancellationToken ct = default)
    {
        var name = wanted.Name is { Length: > 0 } given ? Checked(given) : string.Create(CultureInfo.InvariantCulture, $"model-{Random.Shared.Next(100_000, 1_000_000)}");
        TrackingLimits.EnsureText(wanted.ModelType, "Model type", LongestName);
        EnsureParams(wanted.Params);
        EnsureTags(wanted.Tags);
        var now = time.GetUtcNow();
        var id = await groups.WriteAsync(async db =>
        {
            if (wanted.ExperimentId == TrackingKeys.DefaultExperimentId)
                await CreateExperiment.EnsureDefaultAsync(db, now, ct);
            ChangeExperiment.EnsureActive(await ChangeExperiment.GetAsync(db, wanted.ExperimentId, ct));
            var model = new LoggedModel
            {
                ExperimentId = wanted.ExperimentId, Name = name, ModelType = wanted.ModelType, SourceRunId = wanted.SourceRunId, CreatedBy = wanted.User, CreatedAt = now, UpdatedAt = now,
                Params = [.. wanted.Params.DistinctBy(p => p.Key).Select(p => new LoggedModelParam { Key = p.Key, Value = p.Value })],
                Tags = [.. wanted.Tags.GroupBy(t => t.Key).Select(g => new LoggedModelTag { Key = g.Key, Value = g.Last().Value })],
            };
            db.LoggedModels.Add(model);
            await db.SaveChangesAsync();
            return model.Id;
        }, ct);
        return await read.GetAsync(id, ct);
    }

    public async Task<LoggedModelDetail> FinishAsync(Guid id, LoggedModelState state, CancellationToken ct = default)
    {
        await ChangeAsync(id, (_, model) => { model.State = state; return Task.CompletedTask; }, ct);
        return await read.GetAsync(id, ct);
    }

    public Task DeleteAsync(Guid id, CancellationToken ct = default) => ChangeAsync(id, (_, model) => { model.DeletedAt = time.GetUtcNow(); return Task.CompletedTask; }, ct);

    public Task TagAsync(Guid id, IReadOnlyList<KeyValue> tags, CancellationToken ct = default)
    {
        EnsureTags(tags);
        return ChangeAsync(id, async (db, _) =>
        {
            var stored = await db.LoggedModelTags.Where(t => t.ModelId == id).ToDictionaryAsync(t => t.Key);
            foreach (var (key, value) in tags)
                if (stored.TryGetValue(key, out var tag))
                    tag.Value = value;
                else
                    db.LoggedModelTags.Add(stored[key] = new LoggedModelTag { ModelId = id, Key = key, Value = value });
        }, ct);
    }

    public Task UntagAsync(Guid id, string key, CancellationToken ct = default) => ChangeAsync(id, async (db, _) =>
    {
        if (await db.LoggedModelTags.Where(t => t.ModelId == id && t.Key == key).ExecuteDeleteAsync() == 0)
            throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No tag with key '{TrackingKeys.Shown(key)}' for the logged model {TrackingKeys.LoggedModelText(id)}.");
    }, ct);

    /// <summary>Like those of a run: the same value again changes nothing, another one is refused.</summary>
    public Task AddParamsAsync(Guid id, IReadOnlyList<KeyValue> parameters, CancellationToken ct = default)
    {
        EnsureParams(parameters);
        return ChangeAsync(id, async (db, _) =>
        {
            var stored = await db.LoggedModelParams.Where(p => p.ModelId == id).ToDictionaryAsync(p => p.Key, p => p.Value);
            foreach (var (key, value) in parameters)
            {
                if (stored.TryAdd(key, value))
                    db.LoggedModelParams.Add(new LoggedModelParam { ModelId = id, Key = key, Value = value });
                else if (stored[key] != value)
                    throw LlmOpsException.Invalid($"Changing param values is not allowed. Param with key='{key}' was already logged for the model {TrackingKeys.LoggedModelText(id)}.");
            }
        }, ct);
    }

    private Task ChangeAsync(Guid id, Func<LlmOpsDb, LoggedModel, Task> change, CancellationToken ct) => groups.WriteAsync(async db =>
    {
        var model = await db.LoggedModels.SingleOrDefaultAsync(m => m.Id == id && m.DeletedAt == null) ?? throw ReadLoggedModels.NotFound(id);
        await change(db, model);
        model.UpdatedAt = time.GetUtcNow();
        await db.SaveChangesAsync();
        return true;
    }, ct);

    private static string Checked(string name) => name.Any(c => c is '/' or ':' or '.' or '%' or '"' or '\'' || char.IsControl(c))
        ? throw LlmOpsException.Invalid($"Invalid model name ('{TrackingKeys.Shown(name)}') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '\"', \"'\")")
        : TrackingLimits.EnsureText(name, "Model name", LongestName);

    private static void EnsureParams(IReadOnlyList<KeyValue> parameters)
    {
        TrackingLimits.EnsureCount(parameters.Count, MostParams, "params");
        foreach (var (key, value) in parameters)
        {
            TrackingLimits.EnsureKey(key, "param");
            TrackingLimits.EnsureText(value, $"Param value of '{key}'", TrackingLimits.ParamValue);
        }
    }

    private static void EnsureTags(IReadOnlyList<KeyValue> tags)
    {
        TrackingLimits.EnsureCount(tags.Count, TrackingLimits.TagsPerBatch, "tags");
        foreach (var (key, value) in tags)
        {
            TrackingLimits.EnsureKey(key, "tag");
            TrackingLimits.EnsureText(value, $"Tag value of '{key}'", TrackingLimits.TagValue);
        }
    }
}

public sealed record LoggedModelOrder(string? FieldName, bool Ascending);

/// <summary>Logged models by id and by search.</summary>
public sealed class ReadLoggedModels(IDbContextFactory<LlmOpsDb> dbs)
{
    public const int Usual = 50, Most = 50;

    private static readonly TableShape Shape = new("logged_models r", new Dictionary<string, TableColumn>
    {
        ["name"] = new("r.\"Name\"", SortKind.Text),
        ["model_id"] = new("r.\"Id\"", SortKind.Id),
        ["model_type"] = new("coalesce(r.\"ModelType\", '')", SortKind.Text),
        ["source_run_id"] = new("r.\"SourceRunId\"", SortKind.Id),
        ["status"] = new("CASE r.\"State\" WHEN 'Ready' THEN 'READY' WHEN 'Pending' THEN 'PENDING' ELSE 'UPLOAD_FAILED' END", SortKind.Text),
        ["creation_timestamp"] = new("r.\"CreatedAt\"", SortKind.Whole),
        ["creation_time"] = new("r.\"CreatedAt\"", SortKind.Whole),
        ["last_updated_timestamp"] = new("r.\"UpdatedAt\"", SortKind.Whole),
    }, ("logged_model_tags", "ModelId"), ["name", "model_id", "creation_timestamp", "creation_time", "last_updated_timestamp"], [new("r.\"CreatedAt\"", true, SortKind.Whole), new("r.\"Id\"", true, SortKind.Id)], ["attribute", "attributes", "attr"])
    {
        Params = ("logged_model_params", "ModelId"), Metrics = ("logged_model_metrics", "ModelId"),
    };

    public async Task<LoggedModelDetail> GetAsync(Guid id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return (await LoadAsync(db, [id], ct)).SingleOrDefault() ?? throw NotFound(id);
    }

    /// <param name="datasets">Numbers in the filter and the order are those that were measured on one of these; empty for all.</param>
    public async Task<Page<LoggedModelDetail>> SearchAsync(IReadOnlyList<Guid> experiments, string? filter, IReadOnlyList<(string Name, string? Digest)> datasets, int? maxResults, IReadOnlyList<LoggedModelOrder> order, string? pageToken, CancellationToken ct = default)
    {
        var most = TableSearch.EnsureSize(maxResults, Usual, Most);
        if (experiments.Count == 0)
            throw LlmOpsException.Invalid("Missing value for required parameter 'experiment_ids'. Name at least one experiment.");
        string[] orderBy = [.. order.Select(o => $"{TrackingKeys.Required(o.FieldName, "order_by.field_name")}{(o.Ascending ? "" : " DESC")}")];
        await using var db = await dbs.CreateDbContextAsync(ct);
        var page = await TableSearch.FindAsync(db, Shape with { MetricDatasets = datasets }, filter, orderBy, most, pageToken, sql => [$"r.\"ExperimentId\" IN {sql.List(experiments.Cast<object>())}", "r.\"DeletedAt\" IS NULL"], ct);
        return new(await LoadAsync(db, page.Items, ct), page.NextPageToken);
    }

    internal static LlmOpsException NotFound(Guid id) => new(ErrorCode.ResourceDoesNotExist, $"Logged model with ID '{TrackingKeys.LoggedModelText(id)}' not found.");

    private static async Task<IReadOnlyList<LoggedModelDetail>> LoadAsync(LlmOpsDb db, IReadOnlyList<Guid> ids, CancellationToken ct)
    {
        var models = await db.LoggedModels.AsNoTracking().AsSplitQuery().Include(m => m.Experiment).Include(m => m.Params).Include(m => m.Tags).Include(m => m.Metrics)
            .Where(m => ids.Contains(m.Id) && m.DeletedAt == null).ToDictionaryAsync(m => m.Id, ct);
        var registered = (await db.ModelVersions.AsNoTracking().Where(v => v.LoggedModelId != null && ids.Contains(v.LoggedModelId.Value))
            .Select(v => new { Id = v.LoggedModelId!.Value, v.Model!.Name, v.Number }).ToListAsync(ct)).ToLookup(v => v.Id, v => new ModelRegistration(v.Name, v.Number));
        return [.. ids.Where(models.ContainsKey).Select(id => new LoggedModelDetail(models[id], models[id].Experiment!.ArtifactLocation, [.. registered[id]]))];
    }
}
