using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Between addresses of artifacts and paths of this server's store.</summary>
public static class ArtifactPaths
{
    public const string Scheme = "mlflow-artifacts:/";

    /// <summary>The path behind an address of this server's store; null for an address of another one.</summary>
    public static string? InStore(string uri)
    {
        if (!uri.StartsWith("mlflow-artifacts:", StringComparison.OrdinalIgnoreCase))
            return null;
        var rest = uri["mlflow-artifacts:".Length..];
        // with a host: mlflow-artifacts://host:port/path
        if (rest.StartsWith("//", StringComparison.Ordinal))
            rest = rest.IndexOf('/', 2) is >= 0 and var slash ? rest[slash..] : "";
        return rest.Trim('/');
    }

    public static ArtifactPath OfRun(LoggedRun run, string? path) => Within(Wire.ArtifactUri(run), path);

    public static ArtifactPath Within(string uri, string? path) => InStore(uri) is { } root ? ArtifactPath.Within(root, path)
        : throw new LlmOpsException(ErrorCode.NotImplemented, $"These files lie at {TrackingKeys.Shown(uri)}, which this server does not read. Read them from there.");

    public static async Task SendAsync(HttpContext http, OpenedFile file, string name)
    {
        // Always as a download and without a type: a page that somebody uploaded must not run with a reader's session.
        var result = Results.Stream(file.Content, "application/octet-stream", Path.GetFileName(name), file.At, new($"\"{file.Digest}\""), enableRangeProcessing: true);
        await result.ExecuteAsync(http);
    }
}
