using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracking;
using Microsoft.AspNetCore.Http.Features;

namespace LlmOps.Web.Api.Mlflow;

internal static class ArtifactsApi
{
    private const long LargestPageUpload = 10 << 20;

    private sealed record ListOfRun(string? RunId, string? RunUuid, string? Path, string? PageToken);

    private sealed record ListOfFolder(string? Path);

    private sealed record FileJson(string Path, bool IsDir, long? FileSize);

    private sealed record RunFiles(string RootUri, IReadOnlyList<FileJson> Files);

    private sealed record FolderFiles(IReadOnlyList<FileJson> Files);

    public static void MapArtifacts(this MlflowRoutes routes)
    {
        routes.Read<ListOfRun>("GET", "/mlflow/artifacts/list", async (r, c) =>
        {
            var run = await c.Get<ReadLoggedRuns>().GetAsync(RunsApi.Id(r.RunId, r.RunUuid), c.Aborted);
            return new RunFiles(Wire.ArtifactUri(run), Files(await c.Get<LoggedFiles>().ListAsync(ArtifactPaths.OfRun(run, r.Path), c.Aborted), r.Path));
        });
        // Relative to the folder that was asked for, unlike the list of a run.
        routes.Read<ListOfFolder>("GET", "/mlflow-artifacts/artifacts", async (r, c) => new FolderFiles(Files(await c.Get<LoggedFiles>().ListAsync(ArtifactPath.Parse(r.Path?.Trim('/')), c.Aborted), null)));
        routes.Raw("GET", "/mlflow-artifacts/artifacts/{**path}", Permission.Read, c => SendAsync(c, ArtifactPath.ParseFile(PathOf(c))));
        routes.Raw("PUT", "/mlflow-artifacts/artifacts/{**path}", Permission.RunPipelines, c => PutAsync(c, ArtifactPath.ParseFile(PathOf(c))));
        routes.Raw("DELETE", "/mlflow-artifacts/artifacts/{**path}", Permission.RunPipelines, async c =>
        {
            await c.Get<LoggedFiles>().DeleteAsync(ArtifactPath.Parse(PathOf(c)), c.Aborted);
            await EmptyAsync(c);
        });
        routes.At("GET", "/get-artifact", Permission.Read, GetArtifactAsync);
        routes.At("POST", "/ajax-api/2.0/mlflow/upload-artifact", Permission.RunPipelines, async c =>
        {
            var query = c.Http.Request.Query;
            var run = await c.Get<ReadLoggedRuns>().GetAsync(RunsApi.Id(query["run_id"], query["run_uuid"]), c.Aborted);
            await PutAsync(c, ArtifactPaths.OfRun(run, TrackingKeys.Required(query["path"], "path")), LargestPageUpload);
        });
    }

    private static async Task GetArtifactAsync(MlflowCall call)
    {
        var query = call.Http.Request.Query;
        var run = await call.Get<ReadLoggedRuns>().GetAsync(RunsApi.Id(query["run_id"], query["run_uuid"]), call.Aborted);
        var path = ArtifactPaths.OfRun(run, TrackingKeys.Required(query["path"], "path"));
        await ArtifactPaths.SendAsync(call.Http, await call.Get<LoggedFiles>().OpenAsync(path, call.Aborted), path.Path);
    }

    /// <summary>The file of a path; what the spans of a trace would be in, is made of them.</summary>
    public static async Task SendAsync(MlflowCall call, ArtifactPath path)
    {
        if (TraceFileApi.Of(path) is var (trace, _))
            await TraceFileApi.SendAsync(call, trace);
        else
            await ArtifactPaths.SendAsync(call.Http, await call.Get<LoggedFiles>().OpenAsync(path, call.Aborted), path.Path);
    }

    public static async Task PutAsync(MlflowCall call, ArtifactPath path)
    {
        if (TraceFileApi.Of(path) is var (trace, experiment))
        {
            await TraceFileApi.PutAsync(call, trace, experiment);
            await EmptyAsync(call);
            return;
        }
        await PutAsync(call, path, null);
    }

    /// <summary>Models are large; the disk is the limit.</summary>
    public static void TakeAnySize(MlflowCall call)
    {
        if (call.Http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
    }

    private static async Task PutAsync(MlflowCall call, ArtifactPath path, long? most)
    {
        if (most is not null && (call.Http.Request.ContentLength ?? long.MaxValue) > most)
            throw LlmOpsException.Invalid($"A file that is sent here may have {most} bytes and must say how many it has. Send larger ones by the artifact proxy.");
        if (most is null)
            TakeAnySize(call);
        await call.Get<LoggedFiles>().PutAsync(path, call.Http.Request.Body, call.Aborted);
        await EmptyAsync(call);
    }

    public static Task EmptyAsync(MlflowCall call) => call.Http.Response.WriteAsJsonAsync(new { }, call.Aborted);

    public static string? PathOf(MlflowCall call) => call.Http.GetRouteValue("path") as string;

    private static IReadOnlyList<FileJson> Files(IReadOnlyList<ListedFile> files, string? within) =>
        [.. files.Select(f => new FileJson(string.IsNullOrEmpty(within) ? f.Path : $"{within.TrimEnd('/')}/{f.Path}", f.IsFolder, f.SizeBytes))];
}
