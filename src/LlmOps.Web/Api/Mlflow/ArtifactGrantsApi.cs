using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Presigned addresses, and the one address behind which every <see cref="ArtifactGrant"/> is used. It asks for no session and no token: the grant is the permission.</summary>
internal static class ArtifactGrantsApi
{
    private const long LongestSeconds = 86_400, UploadSeconds = 900, DownloadSeconds = 300;

    private sealed record Ask(string? RunId, string? RunUuid, string? ModelId, string? Path, long? Expiration);

    private sealed record Nothing;

    private static readonly Dictionary<string, string> NoHeaders = [];

    private sealed record UploadUrl(string PresignedUrl, IReadOnlyDictionary<string, string> Headers);

    private sealed record DownloadUrl(string PresignedUrl, IReadOnlyDictionary<string, string> Headers, long? FileSize);

    private sealed record ProxyUrl(string Url, IReadOnlyDictionary<string, string> Headers, long? FileSize);

    public static void MapArtifactGrants(this MlflowRoutes routes)
    {
        routes.Write<Ask>("POST", "/mlflow/artifacts/presigned-upload-url", Permission.RunPipelines, async (r, c) =>
        {
            var lasting = Lasting(r.Expiration ?? UploadSeconds);
            return new UploadUrl(Grant(c, GrantedUse.Upload, LoggedFiles.Writable(await PathAsync(r, c)), lasting), NoHeaders);
        });
        routes.Read<Ask>("POST", "/mlflow/artifacts/presigned-download-url", async (r, c) =>
        {
            var lasting = Lasting(r.Expiration ?? DownloadSeconds);
            var path = await PathAsync(r, c);
            return new DownloadUrl(Grant(c, GrantedUse.Download, path, lasting), NoHeaders, await SizeAsync(c, path));
        });
        routes.Read<Nothing>("GET", "/mlflow-artifacts/presigned/{**path}", async (_, c) =>
        {
            var path = ArtifactPath.ParseFile(ArtifactsApi.PathOf(c));
            return new ProxyUrl(Grant(c, GrantedUse.Download, path, Lasting(UploadSeconds)), NoHeaders, await SizeAsync(c, path));
        });
        routes.At("GET", ArtifactGrants.Pattern, null, async c =>
        {
            var (grant, path) = Granted(c);
            if (grant.Use != GrantedUse.Download)
                throw ArtifactGrants.Refused("This address is for sending, by PUT.");
            await ArtifactsApi.SendAsync(c, path);
        });
        routes.At("PUT", ArtifactGrants.Pattern, null, async c =>
        {
            var (grant, path) = Granted(c);
            if (grant.Use == GrantedUse.Download)
                throw ArtifactGrants.Refused("This address is for reading, by GET.");
            if (grant.Use == GrantedUse.Part)
                await PutPartAsync(c, grant);
            else
                await ArtifactsApi.PutAsync(c, path);
        });
    }

    private static async Task PutPartAsync(MlflowCall call, ArtifactGrant grant)
    {
        ArtifactsApi.TakeAnySize(call);
        var digest = await call.Get<UploadInParts>().PutAsync(grant.Upload!, grant.Part, call.Http.Request.Body, call.Aborted);
        call.Http.Response.Headers.ETag = $"\"{digest}\"";
        await ArtifactsApi.EmptyAsync(call);
    }

    private static (ArtifactGrant Grant, ArtifactPath Path) Granted(MlflowCall call)
    {
        var grant = call.Get<ArtifactGrants>().Read(call.Http.Request, ArtifactsApi.PathOf(call));
        return (grant, ArtifactPath.ParseFile(grant.Path));
    }

    private static string Grant(MlflowCall call, GrantedUse use, ArtifactPath path, TimeSpan lasting) => call.Get<ArtifactGrants>().AddressOf(use, path, lasting, call.Http.Request);

    private static TimeSpan Lasting(long seconds) => seconds is >= 1 and <= LongestSeconds ? TimeSpan.FromSeconds(seconds)
        : throw LlmOpsException.Invalid($"Invalid value {seconds} for parameter 'expiration' supplied: an address lasts 1 to {LongestSeconds} seconds.");

    private static async Task<ArtifactPath> PathAsync(Ask ask, MlflowCall call)
    {
        var run = string.IsNullOrEmpty(ask.RunId) ? ask.RunUuid : ask.RunId;
        if (string.IsNullOrEmpty(run) == string.IsNullOrEmpty(ask.ModelId))
            throw LlmOpsException.Invalid("Exactly one of `run_id` or `model_id` should be specified.");
        var file = TrackingKeys.Required(ask.Path, "path");
        var root = string.IsNullOrEmpty(run) ? LoggedModelsApi.UriOf(await call.Get<ReadLoggedModels>().GetAsync(TrackingKeys.LoggedModel(ask.ModelId), call.Aborted))
            : Wire.ArtifactUri(await call.Get<ReadLoggedRuns>().GetAsync(TrackingKeys.Run(run), call.Aborted));
        return ArtifactPaths.Within(root, file);
    }

    /// <summary>A refusal where there is no such file. The file of a trace has its size only when it is made.</summary>
    private static async Task<long?> SizeAsync(MlflowCall call, ArtifactPath path)
    {
        if (TraceFileApi.Of(path) is not null)
            return null;
        var file = await call.Get<LoggedFiles>().OpenAsync(path, call.Aborted);
        await file.Content.DisposeAsync();
        return file.SizeBytes;
    }
}
