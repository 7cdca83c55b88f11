using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

internal static class LoggedModelsApi
{
    private const string Path = "/mlflow/logged-models";

    private sealed record Create(string? ExperimentId, string? Name, string? ModelType, string? SourceRunId, IReadOnlyList<KeyValueJson>? Params, IReadOnlyList<KeyValueJson>? Tags);

    private sealed record Finish(string? Status);

    private sealed record Nothing;

    private sealed record Tags(IReadOnlyList<KeyValueJson>? TagsList)
    {
        [System.Text.Json.Serialization.JsonPropertyName("tags")]
        public IReadOnlyList<KeyValueJson>? TagsList { get; init; } = TagsList;
    }

    private sealed record Params(IReadOnlyList<KeyValueJson>? List)
    {
        [System.Text.Json.Serialization.JsonPropertyName("params")]
        public IReadOnlyList<KeyValueJson>? List { get; init; } = List;
    }

    private sealed record DatasetFilter(string? DatasetName, string? DatasetDigest);

    private sealed record OrderBy(string? FieldName, bool? Ascending, string? DatasetName, string? DatasetDigest);

    private sealed record Search(IReadOnlyList<string>? ExperimentIds, string? Filter, IReadOnlyList<DatasetFilter>? Datasets, int? MaxResults, IReadOnlyList<OrderBy>? OrderBy, string? PageToken);

    private sealed record Folder(string? ArtifactDirectoryPath, string? PageToken);

    private sealed record RegistrationJson(string Name, string Version);

    private sealed record InfoJson(string ModelId, string ExperimentId, string Name, long CreationTimestampMs, long LastUpdatedTimestampMs, string ArtifactUri, string Status, string CreatorId, string? ModelType,
        string? SourceRunId, string? StatusMessage, IReadOnlyList<KeyValueJson>? Tags, IReadOnlyList<RegistrationJson>? Registrations);

    private sealed record DataJson(IReadOnlyList<KeyValueJson>? Params, IReadOnlyList<MetricJson>? Metrics);

    private sealed record ModelJson(InfoJson Info, DataJson Data);

    private sealed record Found(ModelJson Model);

    private sealed record FoundMany(IReadOnlyList<ModelJson>? Models, string? NextPageToken);

    private sealed record FileJson(string Path, bool IsDir, long? FileSize);

    private sealed record Files(string RootUri, IReadOnlyList<FileJson> FilesList)
    {
        [System.Text.Json.Serialization.JsonPropertyName("files")]
        public IReadOnlyList<FileJson> FilesList { get; init; } = FilesList;
    }

    public static void MapLoggedModels(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", Path, Permission.RunPipelines, async (r, c) => new Found(Of(await c.Get<LogModel>().CreateAsync(new(TrackingKeys.Experiment(r.ExperimentId), r.Name, r.ModelType,
            string.IsNullOrEmpty(r.SourceRunId) ? null : TrackingKeys.Run(r.SourceRunId), r.Params.Pairs(), r.Tags.Pairs(), c.Actor.Name), c.Aborted))));
        routes.Read<Search>("POST", Path + "/search", async (r, c) =>
        {
            var page = await c.Get<ReadLoggedModels>().SearchAsync([.. (r.ExperimentIds ?? []).Select(TrackingKeys.Experiment)], r.Filter, [.. (r.Datasets ?? []).Select(d => (TrackingKeys.Required(d.DatasetName, "dataset_name"), d.DatasetDigest))],
                r.MaxResults, [.. (r.OrderBy ?? []).Select(o => new LoggedModelOrder(o.FieldName, o.Ascending ?? true))], r.PageToken, c.Aborted);
            return new FoundMany(Wire.OrNull(page.Items.Select(Of)), page.NextPageToken);
        });
        routes.Read<Nothing>("GET", Path + "/{model_id}", async (_, c) => new Found(Of(await c.Get<ReadLoggedModels>().GetAsync(Id(c), c.Aborted))));
        routes.Write<Finish>("PATCH", Path + "/{model_id}", Permission.RunPipelines, async (r, c) => new Found(Of(await c.Get<LogModel>().FinishAsync(Id(c), State(r.Status), c.Aborted))));
        routes.Write<Nothing>("DELETE", Path + "/{model_id}", Permission.RunPipelines, (_, c) => ExperimentsApi.Done(c.Get<LogModel>().DeleteAsync(Id(c), c.Aborted)));
        routes.Write<Tags>("PATCH", Path + "/{model_id}/tags", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<LogModel>().TagAsync(Id(c), r.TagsList.Pairs(), c.Aborted)));
        routes.Write<Nothing>("DELETE", Path + "/{model_id}/tags/{tag_key}", Permission.RunPipelines, (_, c) =>
            ExperimentsApi.Done(c.Get<LogModel>().UntagAsync(Id(c), Uri.UnescapeDataString(c.Http.GetRouteValue("tag_key") as string ?? ""), c.Aborted)));
        routes.Write<Params>("POST", Path + "/{model_id}/params", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<LogModel>().AddParamsAsync(Id(c), r.List.Pairs(), c.Aborted)));
        routes.Read<Folder>("GET", Path + "/{model_id}/artifacts/directories", async (r, c) =>
        {
            var uri = UriOf(await c.Get<ReadLoggedModels>().GetAsync(Id(c), c.Aborted));
            var files = await c.Get<LoggedFiles>().ListAsync(ArtifactPaths.Within(uri, r.ArtifactDirectoryPath), c.Aborted);
            return new Files(uri, [.. files.Select(f => new FileJson(string.IsNullOrEmpty(r.ArtifactDirectoryPath) ? f.Path : $"{r.ArtifactDirectoryPath.TrimEnd('/')}/{f.Path}", f.IsFolder, f.SizeBytes))]);
        });
        routes.At("GET", "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files", Permission.Read, async c =>
        {
            var uri = UriOf(await c.Get<ReadLoggedModels>().GetAsync(Id(c), c.Aborted));
            var path = ArtifactPaths.Within(uri, TrackingKeys.Required(c.Http.Request.Query["artifact_file_path"], "artifact_file_path"));
            await ArtifactPaths.SendAsync(c.Http, await c.Get<LoggedFiles>().OpenAsync(path, c.Aborted), path.Path);
        });
    }

    private static Guid Id(MlflowCall call) => TrackingKeys.LoggedModel(call.Http.GetRouteValue("model_id") as string);

    internal static string UriOf(LoggedModelDetail m) => $"{Wire.ArtifactLocation(m.Model.ExperimentId, m.ArtifactLocation).TrimEnd('/')}/models/{TrackingKeys.LoggedModelText(m.Model.Id)}/artifacts";

    private static ModelJson Of(LoggedModelDetail m) => new(new(TrackingKeys.LoggedModelText(m.Model.Id), TrackingKeys.Text(m.Model.ExperimentId), m.Model.Name, m.Model.CreatedAt.Ms(), m.Model.UpdatedAt.Ms(), UriOf(m), Word(m.Model.State),
            m.Model.CreatedBy, m.Model.ModelType, m.Model.SourceRunId is { } run ? TrackingKeys.Text(run) : null, m.Model.StateMessage, Wire.OrNull(m.Model.Tags.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => new KeyValueJson(t.Key, t.Value))),
            Wire.OrNull(m.Registrations.Select(r => new RegistrationJson(r.Name, r.Version.ToString(System.Globalization.CultureInfo.InvariantCulture))))),
        new(Wire.OrNull(m.Model.Params.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => new KeyValueJson(p.Key, p.Value))),
            Wire.OrNull(m.Model.Metrics.OrderBy(x => x.Key, StringComparer.Ordinal).Select(x => new MetricJson(x.Key, x.IsNan ? double.NaN : x.Value, x.At.Ms(), x.Step)
            {
                RunId = TrackingKeys.Text(x.RunId), ModelId = TrackingKeys.LoggedModelText(x.ModelId), DatasetName = x.DatasetName.Length > 0 ? x.DatasetName : null, DatasetDigest = x.DatasetDigest.Length > 0 ? x.DatasetDigest : null,
            }))));

    private static string Word(LoggedModelState state) => state switch { LoggedModelState.Ready => "LOGGED_MODEL_READY", LoggedModelState.UploadFailed => "LOGGED_MODEL_UPLOAD_FAILED", _ => "LOGGED_MODEL_PENDING" };

    private static LoggedModelState State(string? word) => TrackingKeys.Required(word, "status") switch
    {
        "LOGGED_MODEL_READY" or "READY" => LoggedModelState.Ready,
        "LOGGED_MODEL_UPLOAD_FAILED" or "FAILED" => LoggedModelState.UploadFailed,
        "LOGGED_MODEL_PENDING" or "PENDING" => LoggedModelState.Pending,
        _ => throw LlmOpsException.Invalid($"Invalid model status: {TrackingKeys.Shown(word!)}. It is LOGGED_MODEL_READY or LOGGED_MODEL_UPLOAD_FAILED."),
    };
}
