using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

internal static class ExperimentsApi
{
    private sealed record Create(string? Name, string? ArtifactLocation, IReadOnlyList<KeyValueJson>? Tags);

    private sealed record ById(string? ExperimentId);

    private sealed record ByName(string? ExperimentName);

    private sealed record Update(string? ExperimentId, string? NewName);

    private sealed record Tag(string? ExperimentId, string? Key, string? Value);

    private sealed record Search(int? MaxResults, string? PageToken, string? Filter, IReadOnlyList<string>? OrderBy, string? ViewType);

    private sealed record Datasets(IReadOnlyList<string>? ExperimentIds);

    private sealed record Created(string ExperimentId);

    private sealed record Found(ExperimentJson Experiment);

    private sealed record FoundMany(IReadOnlyList<ExperimentJson> Experiments, string? NextPageToken);

    private sealed record Summary(string ExperimentId, string Name, string Digest, string? Context);

    private sealed record Summaries(IReadOnlyList<Summary> DatasetSummaries);

    public static void MapExperiments(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", "/mlflow/experiments/create", Permission.RunPipelines, async (r, c) =>
            new Created(TrackingKeys.Text(await c.Get<CreateExperiment>().CreateAsync(r.Name, r.ArtifactLocation, r.Tags.Pairs(), c.Actor, c.Aborted))));
        routes.Read<Search>("POST,GET", "/mlflow/experiments/search", SearchAsync);
        // what clients of version 1 call it
        routes.Read<Search>("GET", "/mlflow/experiments/list", SearchAsync);
        routes.Read<ById>("GET", "/mlflow/experiments/get", async (r, c) => new Found(Wire.Of(await c.Get<ReadExperiments>().GetAsync(TrackingKeys.Experiment(r.ExperimentId), c.Aborted))));
        routes.Read<ByName>("GET", "/mlflow/experiments/get-by-name", async (r, c) => new Found(Wire.Of(await c.Get<ReadExperiments>().GetByNameAsync(r.ExperimentName, c.Aborted))));
        routes.Write<ById>("POST", "/mlflow/experiments/delete", Permission.RunPipelines, (r, c) => Done(c.Get<ChangeExperiment>().DeleteAsync(TrackingKeys.Experiment(r.ExperimentId), c.Actor, c.Aborted)));
        routes.Write<ById>("POST", "/mlflow/experiments/restore", Permission.RunPipelines, (r, c) => Done(c.Get<ChangeExperiment>().RestoreAsync(TrackingKeys.Experiment(r.ExperimentId), c.Actor, c.Aborted)));
        routes.Write<Update>("POST", "/mlflow/experiments/update", Permission.RunPipelines, (r, c) =>
            Done(c.Get<ChangeExperiment>().RenameAsync(TrackingKeys.Experiment(r.ExperimentId), TrackingKeys.Required(r.NewName, "new_name"), c.Actor, c.Aborted)));
        routes.Write<Tag>("POST", "/mlflow/experiments/set-experiment-tag", Permission.RunPipelines, (r, c) => Done(c.Get<ChangeExperiment>().TagAsync(TrackingKeys.Experiment(r.ExperimentId), r.Key, r.Value, c.Aborted)));
        routes.Write<Tag>("POST", "/mlflow/experiments/delete-experiment-tag", Permission.RunPipelines, (r, c) => Done(c.Get<ChangeExperiment>().UntagAsync(TrackingKeys.Experiment(r.ExperimentId), r.Key, c.Aborted)));
        routes.Read<Datasets>("POST", "/mlflow/experiments/search-datasets", SearchDatasetsAsync);
        // Some clients build this address from a path that lacks its first slash.
        routes.At("POST", "/api/2.0mlflow/experiments/search-datasets", Permission.Read, async c =>
            await c.Http.Response.WriteAsJsonAsync(await SearchDatasetsAsync(await MlflowRequest.ReadAsync<Datasets>(c.Http), c), typeof(Summaries), MlflowJson.Options, c.Aborted));
    }

    private static async Task<object> SearchAsync(Search request, MlflowCall call)
    {
        var page = await call.Get<ReadExperiments>().SearchAsync(request.Filter, Wire.View(request.ViewType), request.OrderBy, request.MaxResults, request.PageToken, call.Aborted);
        return new FoundMany([.. page.Items.Select(Wire.Of)], page.NextPageToken);
    }

    private static async Task<object> SearchDatasetsAsync(Datasets request, MlflowCall call)
    {
        var found = await call.Get<ReadExperiments>().DatasetsAsync([.. (request.ExperimentIds ?? []).Select(TrackingKeys.Experiment)], call.Aborted);
        return new Summaries([.. found.Select(d => new Summary(TrackingKeys.Text(d.ExperimentId), d.Name, d.Digest, d.Context))]);
    }

    internal static async Task<object?> Done(Task task)
    {
        await task;
        return null;
    }
}
