using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

internal static class RegisteredModelsApi
{
    private const string Path = "/mlflow/registered-models";

    private sealed record Create(string? Name, IReadOnlyList<KeyValueJson>? Tags, string? Description);

    private sealed record ByName(string? Name);

    private sealed record Rename(string? Name, string? NewName);

    private sealed record Update(string? Name, string? Description);

    private sealed record Search(string? Filter, int? MaxResults, IReadOnlyList<string>? OrderBy, string? PageToken);

    private sealed record Latest(string? Name, IReadOnlyList<string>? Stages);

    private sealed record Tag(string? Name, string? Key, string? Value);

    private sealed record AliasOf(string? Name, string? Alias, string? Version);

    private sealed record Found(RegisteredModelJson RegisteredModel);

    private sealed record FoundMany(IReadOnlyList<RegisteredModelJson>? RegisteredModels, string? NextPageToken);

    private sealed record Versions(IReadOnlyList<ModelVersionJson>? ModelVersions);

    private sealed record OneVersion(ModelVersionJson ModelVersion);

    public static void MapRegisteredModels(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", Path + "/create", Permission.WriteModels, async (r, c) =>
        {
            await c.Get<RegisterModel>().CreateAsync(r.Name, r.Description, r.Tags.Pairs(), c.Actor, c.Aborted);
            return await FoundAsync(c, r.Name);
        });
        routes.Write<Rename>("POST", Path + "/rename", Permission.WriteModels, async (r, c) =>
        {
            await c.Get<ChangeModel>().RenameAsync(r.Name, r.NewName, c.Actor, c.Aborted);
            return await FoundAsync(c, r.NewName);
        });
        routes.Write<Update>("PATCH", Path + "/update", Permission.WriteModels, async (r, c) =>
        {
            await c.Get<ChangeModel>().DescribeAsync(r.Name, r.Description, c.Actor, c.Aborted);
            return await FoundAsync(c, r.Name);
        });
        routes.Write<ByName>("DELETE", Path + "/delete", Permission.WriteModels, (r, c) => ExperimentsApi.Done(c.Get<ChangeModel>().DeleteAsync(r.Name, c.Actor, c.Aborted)));
        routes.Read<ByName>("GET", Path + "/get", async (r, c) => await FoundAsync(c, r.Name));
        routes.Read<Search>("GET", Path + "/search", async (r, c) =>
        {
            var page = await c.Get<ReadRegistry>().SearchAsync(r.Filter, r.OrderBy, r.MaxResults, r.PageToken, c.Aborted);
            return new FoundMany(Wire.OrNull(page.Items.Select(RegistryWire.Of)), page.NextPageToken);
        });
        routes.Read<Latest>("POST,GET", Path + "/get-latest-versions", async (r, c) =>
        {
            var model = await c.Get<ReadRegistry>().GetAsync(r.Name, c.Aborted);
            var stages = (r.Stages ?? []).Select(Stage).ToList();
            return new Versions(Wire.OrNull(model.Latest.Where(v => stages.Count == 0 || stages.Contains(v.Stage)).Select(RegistryWire.Of)));
        });
        routes.Write<Tag>("POST", Path + "/set-tag", Permission.WriteModels, (r, c) => ExperimentsApi.Done(c.Get<ChangeModel>().TagAsync(r.Name, r.Key, r.Value, c.Actor, c.Aborted)));
        routes.Write<Tag>("DELETE", Path + "/delete-tag", Permission.WriteModels, (r, c) => ExperimentsApi.Done(c.Get<ChangeModel>().UntagAsync(r.Name, r.Key, c.Actor, c.Aborted)));
        routes.Write<AliasOf>("POST", Path + "/alias", Permission.WriteModels, async (r, c) =>
        {
            EnsureMoved(c, await c.Get<PointAlias>().SetAsync(r.Name, r.Alias, RegisteredName.ParseNumber(r.Version), c.Actor, c.Aborted));
            return null;
        });
        routes.Write<AliasOf>("DELETE", Path + "/alias", Permission.WriteModels, (r, c) => ExperimentsApi.Done(c.Get<PointAlias>().RemoveAsync(r.Name, r.Alias, c.Actor, c.Aborted)));
        routes.Read<AliasOf>("GET", Path + "/alias", async (r, c) => new OneVersion(RegistryWire.Of(await c.Get<ReadRegistry>().ByAliasAsync(r.Name, r.Alias, c.Aborted))));
    }

    /// <summary>A guarded alias does not move by this call. The script learns where people decide about it, and that it need not ask again.</summary>
    internal static void EnsureMoved(MlflowCall call, AliasAnswer? answer)
    {
        if (answer?.RequestId is not { } request)
            return;
        var (http, alias) = (call.Http.Request, answer.Alias);
        throw new LlmOpsException(ErrorCode.ResourceConflict, $"'{alias}' moves only with an approval. A request is open at {http.Scheme}://{http.Host}/approvals/{request}; the alias moves when it is approved.");
    }

    private static async Task<object> FoundAsync(MlflowCall call, string? name) => new Found(RegistryWire.Of(await call.Get<ReadRegistry>().GetAsync(name, call.Aborted)));

    private static string Stage(string word) => new[] { "None", "Staging", "Production", "Archived" }.FirstOrDefault(s => s.Equals(word, StringComparison.OrdinalIgnoreCase))
        ?? throw LlmOpsException.Invalid($"Invalid Model Version stage: {TrackingKeys.Shown(word)}. Value must be one of None, Staging, Production, Archived.");
}
