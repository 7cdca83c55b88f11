using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

internal static class ModelVersionsApi
{
    private const string Path = "/mlflow/model-versions";

    private sealed record Create(string? Name, string? Source, string? RunId, IReadOnlyList<KeyValueJson>? Tags, string? RunLink, string? Description, string? ModelId);

    private sealed record Key(string? Name, string? Version);

    private sealed record Update(string? Name, string? Version, string? Description);

    private sealed record Transition(string? Name, string? Version, string? Stage, bool? ArchiveExistingVersions);

    private sealed record Search(string? Filter, int? MaxResults, IReadOnlyList<string>? OrderBy, string? PageToken);

    private sealed record Tag(string? Name, string? Version, string? Key, string? Value);

    private sealed record Found(ModelVersionJson ModelVersion);

    private sealed record FoundMany(IReadOnlyList<ModelVersionJson>? ModelVersions, string? NextPageToken);

    private sealed record Download(string ArtifactUri);

    public static void MapModelVersions(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", Path + "/create", Permission.WriteModels, async (r, c) =>
        {
            var logged = string.IsNullOrEmpty(r.ModelId) ? (Guid?)null : TrackingKeys.LoggedModel(r.ModelId);
            var folder = await FolderAsync(c, r.Source, logged);
            var key = await c.Get<RegisterVersion>().RegisterAsync(new(r.Name, r.Source, folder, string.IsNullOrEmpty(r.RunId) ? null : TrackingKeys.Run(r.RunId), logged, r.RunLink, r.Description, r.Tags.Pairs()), c.Actor, c.Aborted);
            return await FoundAsync(c, key.Name, key.Number.Text());
        });
        routes.Write<Update>("PATCH", Path + "/update", Permission.WriteModels, async (r, c) =>
        {
            await c.Get<ChangeVersion>().DescribeAsync(r.Name, RegisteredName.ParseNumber(r.Version), r.Description, c.Actor, c.Aborted);
            return await FoundAsync(c, r.Name, r.Version);
        });
        routes.Write<Transition>("POST", Path + "/transition-stage", Permission.WriteModels, async (r, c) =>
        {
            RegisteredModelsApi.EnsureMoved(c, await c.Get<PointAlias>().SetStageAsync(r.Name, RegisteredName.ParseNumber(r.Version), r.Stage, r.ArchiveExistingVersions ?? false, c.Actor, c.Aborted));
            return await FoundAsync(c, r.Name, r.Version);
        });
        routes.Write<Key>("DELETE", Path + "/delete", Permission.WriteModels, (r, c) => ExperimentsApi.Done(c.Get<ChangeVersion>().DeleteAsync(r.Name, RegisteredName.ParseNumber(r.Version), c.Actor, c.Aborted)));
        routes.Read<Key>("GET", Path + "/get", async (r, c) => await FoundAsync(c, r.Name, r.Version));
        routes.Read<Search>("GET", Path + "/search", async (r, c) =>
        {
            var page = await c.Get<ReadRegistry>().SearchVersionsAsync(r.Filter, r.OrderBy, r.MaxResults, r.PageToken, c.Aborted);
            return new FoundMany(Wire.OrNull(page.Items.Select(RegistryWire.Of)), page.NextPageToken);
        });
        routes.Read<Key>("GET", Path + "/get-download-uri", async (r, c) => new Download(RegistryWire.DownloadUri(await c.Get<ReadRegistry>().VersionAsync(r.Name, RegisteredName.ParseNumber(r.Version), c.Aborted))));
        routes.Write<Tag>("POST", Path + "/set-tag", Permission.WriteModels, (r, c) => ExperimentsApi.Done(c.Get<ChangeVersion>().TagAsync(r.Name, RegisteredName.ParseNumber(r.Version), r.Key, r.Value, c.Actor, c.Aborted)));
        routes.Write<Tag>("DELETE", Path + "/delete-tag", Permission.WriteModels, (r, c) => ExperimentsApi.Done(c.Get<ChangeVersion>().UntagAsync(r.Name, RegisteredName.ParseNumber(r.Version), r.Key, c.Actor, c.Aborted)));
        routes.At("GET", "/model-versions/get-artifact", Permission.Read, async c =>
        {
            var query = c.Http.Request.Query;
            var version = await c.Get<ReadRegistry>().VersionAsync(query["name"], RegisteredName.ParseNumber(query["version"]), c.Aborted);
            var path = ArtifactPath.Within($"{LoggedFiles.Versions}/{version.Model}/{version.Version.Number.Text()}", TrackingKeys.Required(query["path"], "path"));
            await ArtifactPaths.SendAsync(c.Http, await c.Get<LoggedFiles>().OpenAsync(path, c.Aborted), path.Path);
        });
    }

    private static async Task<object> FoundAsync(MlflowCall call, string? name, string? version) =>
        new Found(RegistryWire.Of(await call.Get<ReadRegistry>().VersionAsync(name, RegisteredName.ParseNumber(version), call.Aborted)));

    /// <summary>The folder of this server's store that a source means; null for another server's.</summary>
    private static async Task<ArtifactPath?> FolderAsync(MlflowCall call, string? source, Guid? logged)
    {
        const string Runs = "runs:/", Models = "models:/";
        if (source?.StartsWith(Runs, StringComparison.Ordinal) == true && source[Runs.Length..].Split('/', 2) is [var id, var rest])
            return ArtifactPaths.InStore(Wire.ArtifactUri(await call.Get<ReadLoggedRuns>().GetAsync(TrackingKeys.Run(id), call.Aborted))) is { } root ? ArtifactPath.Within(root, rest) : null;
        if (logged is null && source?.StartsWith(Models + LoggedModel.IdStart, StringComparison.Ordinal) == true)
            logged = TrackingKeys.LoggedModel(source[Models.Length..]);
        if (source is not null && ArtifactPaths.InStore(source) is { } path)
            return ArtifactPath.Parse(path);
        if (logged is { } model)
            return ArtifactPaths.InStore(LoggedModelsApi.UriOf(await call.Get<ReadLoggedModels>().GetAsync(model, call.Aborted))) is { } folder ? ArtifactPath.Parse(folder) : null;
        return null;
    }
}
