using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Large files in parts. Clients send the parts without a token, each to an address of its own: see <see cref="ArtifactGrants"/>.</summary>
internal static class ArtifactPartsApi
{
    /// <summary>Clients send a file by PUT where the message begins like this.</summary>
    private const string NotInParts = "Multipart upload is not supported for the current artifact repository";

    private sealed record Create(string? Path, long? NumParts);

    private sealed record Complete(string? Path, string? UploadId, IReadOnlyList<PartJson?>? Parts);

    private sealed record Abort(string? Path, string? UploadId);

    private sealed record PartJson(long? PartNumber, string? Etag);

    private sealed record Credential(string Url, int PartNumber, IReadOnlyDictionary<string, string> Headers);

    private sealed record Created(string UploadId, IReadOnlyList<Credential> Credentials);

    private static readonly Dictionary<string, string> NoHeaders = [];

    public static void MapArtifactParts(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", "/mlflow-artifacts/mpu/create/{**path}", Permission.RunPipelines, async (r, c) => await CreateAsync(r, c));
        routes.Write<Complete>("POST", "/mlflow-artifacts/mpu/complete/{**path}", Permission.RunPipelines, (r, c) =>
            ExperimentsApi.Done(c.Get<UploadInParts>().CompleteAsync(Target(c, r.Path), Id(r.UploadId), [.. (r.Parts ?? []).Select(Sent)], c.Aborted)));
        routes.Write<Abort>("POST", "/mlflow-artifacts/mpu/abort/{**path}", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<UploadInParts>().AbortAsync(Target(c, r.Path), Id(r.UploadId), c.Aborted)));
    }

    private static async Task<Created> CreateAsync(Create request, MlflowCall call)
    {
        var path = Target(call, request.Path);
        if (TraceFileApi.Of(path) is not null)
            throw new LlmOpsException(ErrorCode.NotImplemented, $"{NotInParts}: the spans of a trace are sent whole, by PUT.");
        var upload = await call.Get<UploadInParts>().BeginAsync(path, request.NumParts ?? 1, call.Aborted);
        var grants = call.Get<ArtifactGrants>();
        // As long as the upload: a part can be sent for a day, and is seen by nobody before somebody with a token completes the file.
        return new(upload.Id, [.. Enumerable.Range(1, upload.Parts).Select(n => new Credential(grants.AddressOf(new(GrantedUse.Part, upload.Path, upload.Id, n, upload.At + UploadInParts.Lifetime), call.Http.Request), n, NoHeaders))]);
    }

    /// <summary>The address names the folder; the file has the name of the client's local file, whose whole path is in the body.</summary>
    private static ArtifactPath Target(MlflowCall call, string? localFile)
    {
        var name = TrackingKeys.Required(localFile, "path").Split('/', '\\')[^1];
        var folder = ArtifactsApi.PathOf(call) ?? "";
        return ArtifactPath.ParseFile(folder.Length == 0 ? name : $"{folder}/{name}");
    }

    private static string Id(string? uploadId) => TrackingKeys.Required(uploadId, "upload_id");

    private static SentPart Sent(PartJson? part)
    {
        if (part?.PartNumber is not (>= 1 and <= UploadInParts.MostParts and var number))
            throw LlmOpsException.Invalid($"Invalid value for parameter 'part_number' supplied: parts have the numbers 1 to {UploadInParts.MostParts}.");
        // As it stood in the header, or without its quotes.
        return new((int)number, TrackingKeys.Required(part.Etag, "etag").Trim('"'));
    }
}
