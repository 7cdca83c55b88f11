using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Evaluation datasets. Tags and records are JSON inside a text, as the clients of this API send and read them.</summary>
internal static class EvaluationDatasetsApi
{
    private const string Path = "/mlflow/datasets", One = Path + "/{dataset_id}";

    private sealed record Create(string? Name, IReadOnlyList<string>? ExperimentIds, string? ExperimentId, string? SourceType, string? Source, string? Schema, string? Profile, string? CreatedBy, string? Tags);

    private sealed record Search(IReadOnlyList<string>? ExperimentIds, string? FilterString, string? Filter, int? MaxResults, IReadOnlyList<string>? OrderBy, string? PageToken);

    private sealed record Tag(string? Tags);

    private sealed record Upsert(string? Records, string? UpdatedBy);

    private sealed record Paged(int? MaxResults, string? PageToken);

    private sealed record DeleteRecords(IReadOnlyList<string>? DatasetRecordIds);

    private sealed record Experiments(IReadOnlyList<string>? ExperimentIds);

    private sealed record Nothing;

    private sealed record DatasetJson(string DatasetId, string Name, string Tags, string? Schema, string? Profile, string? SourceType, string? Source, string Digest, long CreatedTime, long LastUpdateTime, string CreatedBy, string LastUpdatedBy, IReadOnlyList<string>? ExperimentIds);

    private sealed record Found(DatasetJson Dataset);

    private sealed record FoundMany(IReadOnlyList<DatasetJson>? Datasets, string? NextPageToken);

    private sealed record Upserted(int InsertedCount, int UpdatedCount);

    private sealed record RecordJson(string DatasetRecordId, string DatasetId, JsonElement Inputs, JsonElement? Outputs, JsonElement? Expectations, JsonElement Tags, JsonElement? Source, string? SourceId, string? SourceType, long CreatedTime, long LastUpdateTime, string CreatedBy, string LastUpdatedBy);

    private sealed record RecordsFound(string Records, string? NextPageToken);

    private sealed record Deleted(int DeletedCount);

    private sealed record ExperimentsFound(IReadOnlyList<string>? ExperimentIds);

    public static void MapEvaluationDatasets(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", Path + "/create", Permission.WriteDatasets, async (r, c) =>
        {
            var experiments = (r.ExperimentIds ?? []).Concat(string.IsNullOrEmpty(r.ExperimentId) ? [] : new[] { r.ExperimentId }).Select(TrackingKeys.Experiment).ToList();
            var tags = Tags(r.Tags).Where(t => t.Value is not null).ToDictionary(t => t.Key, t => t.Value!);
            return await FoundAsync(c, await c.Get<KeepEvaluationDataset>().CreateAsync(new(r.Name, experiments, r.SourceType, r.Source, r.Schema, r.Profile, tags), c.Actor, c.Aborted));
        }, "3.0");
        routes.Read<Search>("POST,GET", Path + "/search", async (r, c) =>
        {
            var page = await c.Get<ReadEvaluationDatasets>().SearchAsync(r.ExperimentIds is { Count: > 0 } ids ? RunsApi.Experiments(ids) : null, r.FilterString ?? r.Filter, r.OrderBy, r.MaxResults, r.PageToken, c.Aborted);
            return new FoundMany(Wire.OrNull(page.Items.Select(Of)), page.NextPageToken);
        }, "3.0");
        routes.Read<Nothing>("GET", One, async (_, c) => await FoundAsync(c, Id(c)), "3.0");
        routes.Write<Nothing>("DELETE", One, Permission.WriteDatasets, (_, c) => ExperimentsApi.Done(c.Get<KeepEvaluationDataset>().DeleteAsync(Id(c), c.Actor, c.Aborted)), "3.0");
        routes.Write<Tag>("PATCH", One + "/tags", Permission.WriteDatasets, async (r, c) =>
        {
            await c.Get<KeepEvaluationDataset>().TagAsync(Id(c), Tags(TrackingKeys.Required(r.Tags, "tags")), c.Actor, c.Aborted);
            return await FoundAsync(c, Id(c));
        }, "3.0");
        routes.Write<Nothing>("DELETE", One + "/tags/{key}", Permission.WriteDatasets, (_, c) =>
            ExperimentsApi.Done(c.Get<KeepEvaluationDataset>().TagAsync(Id(c), new Dictionary<string, string?> { [(string)c.Http.GetRouteValue("key")!] = null }, c.Actor, c.Aborted)), "3.0");
        Records(routes);
        routes.Read<Nothing>("GET", One + "/experiment-ids", async (_, c) => new ExperimentsFound(Wire.OrNull(Of(await c.Get<ReadEvaluationDatasets>().GetAsync(Id(c), c.Aborted)).ExperimentIds ?? [])), "3.0");
        routes.Write<Experiments>("POST", One + "/add-experiments", Permission.WriteDatasets, async (r, c) =>
        {
            await c.Get<KeepEvaluationDataset>().AddExperimentsAsync(Id(c), [.. (r.ExperimentIds ?? []).Select(TrackingKeys.Experiment)], c.Actor, c.Aborted);
            return await FoundAsync(c, Id(c));
        }, "3.0");
        routes.Write<Experiments>("POST", One + "/remove-experiments", Permission.WriteDatasets, async (r, c) =>
        {
            await c.Get<KeepEvaluationDataset>().RemoveExperimentsAsync(Id(c), RunsApi.Experiments(r.ExperimentIds), c.Actor, c.Aborted);
            return await FoundAsync(c, Id(c));
        }, "3.0");
    }

    private static void Records(MlflowRoutes routes)
    {
        routes.Write<Upsert>("POST", One + "/records", Permission.WriteDatasets, async (r, c) =>
        {
            var done = await c.Get<KeepEvaluationDataset>().UpsertAsync(Id(c), EvaluationRows.Parse(r.Records), r.UpdatedBy, c.Actor, c.Aborted);
            return new Upserted(done.Inserted, done.Updated);
        }, "3.0");
        routes.Read<Paged>("GET", One + "/records", async (r, c) =>
        {
            var page = await c.Get<ReadEvaluationDatasets>().RecordsAsync(Id(c), r.MaxResults, r.PageToken, c.Aborted);
            return new RecordsFound(JsonSerializer.Serialize(page.Items.Select(Of), Json.Options), page.NextPageToken);
        }, "3.0");
        routes.Write<DeleteRecords>("DELETE", One + "/records", Permission.WriteDatasets, async (r, c) =>
            new Deleted(await c.Get<KeepEvaluationDataset>().DeleteRecordsAsync(Id(c), [.. (r.DatasetRecordIds ?? []).Select(ReadEvaluationDatasets.RecordId).OfType<Guid>().Distinct()], c.Actor, c.Aborted)), "3.0");
    }

    private static Guid Id(MlflowCall call) => ReadEvaluationDatasets.Id(call.Http.GetRouteValue("dataset_id") as string);

    private static async Task<Found> FoundAsync(MlflowCall call, Guid id) => new(Of(await call.Get<ReadEvaluationDatasets>().GetAsync(id, call.Aborted)));

    private static DatasetJson Of(EvaluationDatasetDetail d) => new(EvaluationDataset.IdStart + d.Dataset.Id.ToString("N"), d.Dataset.Name, Json.Write(d.Dataset.Tags.OrderBy(t => t.Key, StringComparer.Ordinal).ToDictionary(t => t.Key, t => t.Value)), d.Dataset.Schema, d.Dataset.Profile,
        d.Dataset.SourceType, d.Dataset.Source, d.Dataset.Digest, d.Dataset.CreatedAt.Ms(), d.Dataset.UpdatedAt.Ms(), d.Dataset.CreatedBy, d.Dataset.UpdatedBy, Wire.OrNull(d.Dataset.Experiments.Select(e => TrackingKeys.Text(e.ExperimentId)).Order(StringComparer.Ordinal)));

    private static RecordJson Of(EvaluationRecord r) => new(EvaluationRecord.IdStart + r.Id.ToString("N"), EvaluationDataset.IdStart + r.DatasetId.ToString("N"), Element(r.InputsJson)!.Value, Element(r.OutputsJson), Element(r.ExpectationsJson), Element(r.TagsJson)!.Value, Element(r.SourceJson),
        r.SourceId, r.SourceType, r.CreatedAt.Ms(), r.UpdatedAt.Ms(), r.CreatedBy, r.UpdatedBy);

    private static JsonElement? Element(string? json) => json is null ? null : JsonSerializer.Deserialize<JsonElement>(json);

    private static Dictionary<string, string?> Tags(string? json)
    {
        if (string.IsNullOrEmpty(json))
            return [];
        if (MlflowAttributes.Parsed(json) is not { ValueKind: JsonValueKind.Object } map || map.EnumerateObject().Any(t => t.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Array))
            throw LlmOpsException.Invalid("Invalid value for parameter 'tags' supplied: it is a JSON object of texts, inside a text.");
        AssessmentValue.Parse(map);
        var tags = new Dictionary<string, string?>();
        foreach (var tag in map.EnumerateObject())
            tags[tag.Name] = tag.Value.ValueKind switch { JsonValueKind.Null => null, JsonValueKind.String => tag.Value.GetString(), _ => tag.Value.GetRawText() };
        return tags;
    }
}
