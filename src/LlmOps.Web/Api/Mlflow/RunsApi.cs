using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;

namespace LlmOps.Web.Api.Mlflow;

internal static class RunsApi
{
    private sealed record Create(string? ExperimentId, string? UserId, string? RunName, long? StartTime, IReadOnlyList<KeyValueJson>? Tags);

    // Clients of all ages: the old ones send run_uuid, most send both.
    private sealed record ById(string? RunId, string? RunUuid);

    private sealed record Update(string? RunId, string? RunUuid, string? Status, long? EndTime, string? RunName);

    private sealed record Search(IReadOnlyList<string>? ExperimentIds, string? Filter, string? RunViewType, int? MaxResults, IReadOnlyList<string>? OrderBy, string? PageToken);

    private sealed record Tag(string? RunId, string? RunUuid, string? Key, string? Value);

    private sealed record Inputs(string? RunId, IReadOnlyList<DatasetInputJson>? Datasets, IReadOnlyList<ModelInputJson>? Models);

    private sealed record Outputs(string? RunId, IReadOnlyList<ModelOutputJson>? Models);

    private sealed record LogModel(string? RunId, string? ModelJson);

    private sealed record Found(RunJson Run);

    private sealed record Updated(RunInfoJson RunInfo);

    private sealed record FoundMany(IReadOnlyList<RunJson>? Runs, string? NextPageToken);

    private const int LongestUser = 256;

    public static void MapRuns(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", "/mlflow/runs/create", Permission.RunPipelines, async (r, c) =>
        {
            var tags = r.Tags.Pairs();
            var user = new[] { r.UserId, tags.LastOrDefault(t => t.Key == "mlflow.user")?.Value, c.Actor.Name }.First(u => !string.IsNullOrEmpty(u))!;
            var experiment = string.IsNullOrEmpty(r.ExperimentId) ? TrackingKeys.DefaultExperimentId : TrackingKeys.Experiment(r.ExperimentId);
            return new Found(Wire.Of(await c.Get<StartRun>().StartAsync(new(experiment, r.RunName, user.Length > LongestUser ? user[..LongestUser] : user, Wire.Time(r.StartTime, "start_time"), tags), c.Aborted)));
        });
        routes.Write<Update>("POST", "/mlflow/runs/update", Permission.RunPipelines, async (r, c) =>
            new Updated(Wire.Info(await c.Get<ChangeRun>().UpdateAsync(Id(r.RunId, r.RunUuid), string.IsNullOrEmpty(r.Status) ? null : RunStates.Parse(r.Status), Wire.Time(r.EndTime, "end_time"), r.RunName, c.Aborted))));
        routes.Write<ById>("POST", "/mlflow/runs/delete", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<ChangeRun>().DeleteAsync(Id(r.RunId, r.RunUuid), c.Actor, c.Aborted)));
        routes.Write<ById>("POST", "/mlflow/runs/restore", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<ChangeRun>().RestoreAsync(Id(r.RunId, r.RunUuid), c.Actor, c.Aborted)));
        routes.Read<ById>("GET", "/mlflow/runs/get", async (r, c) => new Found(Wire.Of(await c.Get<ReadLoggedRuns>().GetAsync(Id(r.RunId, r.RunUuid), c.Aborted))));
        routes.Read<Search>("POST", "/mlflow/runs/search", async (r, c) =>
        {
            var page = await c.Get<SearchRuns>().SearchAsync(new(Experiments(r.ExperimentIds), r.Filter, Wire.View(r.RunViewType), r.MaxResults ?? 1000, r.OrderBy, r.PageToken), c.Aborted);
            return new FoundMany(Wire.OrNull(page.Items.Select(Wire.Of)), page.NextPageToken);
        });
        routes.Write<Tag>("POST", "/mlflow/runs/set-tag", Permission.RunPipelines, (r, c) =>
            ExperimentsApi.Done(c.Get<WriteGroups>().WriteAsync(LogBatch.Checked(Id(r.RunId, r.RunUuid), tags: [new(TrackingKeys.Required(r.Key, "key"), r.Value ?? "")]), c.Aborted)));
        routes.Write<Tag>("POST", "/mlflow/runs/delete-tag", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<ChangeRun>().UntagAsync(Id(r.RunId, r.RunUuid), r.Key, c.Aborted)));
        routes.Write<Inputs>("POST", "/mlflow/runs/log-inputs", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<LogInputs>().InputsAsync(TrackingKeys.Run(r.RunId), [.. (r.Datasets ?? []).Select(Input)],
            [.. (r.Models ?? []).Select(m => TrackingKeys.LoggedModel(m.ModelId))], c.Aborted)));
        routes.Write<Outputs>("POST", "/mlflow/runs/outputs", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<LogInputs>().OutputsAsync(TrackingKeys.Run(r.RunId),
            [.. (r.Models ?? []).Select(m => new ModelOutput(TrackingKeys.LoggedModel(m.ModelId), m.Step ?? 0))], c.Aborted)));
        routes.Write<LogModel>("POST", "/mlflow/runs/log-model", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<LogModelHistory>().AddAsync(TrackingKeys.Run(r.RunId), r.ModelJson, c.Aborted)));
    }

    internal static Guid Id(string? id, string? uuid) => TrackingKeys.Run(string.IsNullOrEmpty(id) ? uuid : id);

    internal static IReadOnlyList<Guid> Experiments(IReadOnlyList<string>? ids) => [.. (ids ?? []).Select(Known).OfType<Guid>().Distinct()];

    /// <summary>A search in an experiment that is not there finds nothing.</summary>
    private static Guid? Known(string id)
    {
        try
        {
            return TrackingKeys.Experiment(id);
        }
        catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceDoesNotExist)
        {
            return null;
        }
    }

    private static DatasetInput Input(DatasetInputJson json)
    {
        var d = json.Dataset ?? throw LlmOpsException.Invalid("Missing value for required parameter 'dataset'. See the API docs for more information about request parameters.");
        return new(d.Name, d.Digest, d.SourceType, d.Source, d.Schema, d.Profile, json.Tags.Pairs());
    }
}
