using System.Globalization;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

public sealed record AliasJson(string Alias, string Version);

public sealed record RegisteredModelJson(string Name, long CreationTimestamp, long LastUpdatedTimestamp, string UserId, string? Description, IReadOnlyList<ModelVersionJson>? LatestVersions, IReadOnlyList<KeyValueJson>? Tags, IReadOnlyList<AliasJson>? Aliases);

public sealed record ModelVersionJson(string Name, string Version, long CreationTimestamp, long LastUpdatedTimestamp, string UserId, string CurrentStage, string? Description, string Source, string? RunId, string Status,
    IReadOnlyList<KeyValueJson>? Tags, string? RunLink, IReadOnlyList<string>? Aliases, string? ModelId);

internal static class RegistryWire
{
    public static string Text(this int number) => number.ToString(CultureInfo.InvariantCulture);

    public static RegisteredModelJson Of(RegisteredModelDetail m) => new(m.Model.Name, m.Model.CreatedAt.Ms(), (m.Model.UpdatedAt ?? m.Model.CreatedAt).Ms(), m.Model.Owner, NullIfEmpty(m.Model.Description), Wire.OrNull(m.Latest.Select(Of)),
        Wire.OrNull(m.Model.Tags.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => new KeyValueJson(t.Key, t.Value))), Wire.OrNull(m.Aliases.Select(a => new AliasJson(a.Alias, a.Number.Text()))));

    public static ModelVersionJson Of(RegisteredVersion v) => new(v.Model, v.Version.Number.Text(), v.Version.CreatedAt.Ms(), (v.Version.UpdatedAt ?? v.Version.CreatedAt).Ms(), v.Version.CreatedBy, v.Stage, NullIfEmpty(v.Version.Description),
        v.Version.Source ?? FilesUri(v), v.Version.RunId is { } run ? TrackingKeys.Text(run) : null, "READY", Wire.OrNull(v.Version.Tags.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => new KeyValueJson(t.Key, t.Value))),
        v.Version.RunLink, Wire.OrNull(v.Aliases), v.Version.LoggedModelId is { } model ? TrackingKeys.LoggedModelText(model) : null);

    /// <summary>Where the fixed files of a version are read from; for one whose files lie elsewhere its own source.</summary>
    public static string DownloadUri(RegisteredVersion v) => v.Version is { Stage: ModelVersion.Registered, SizeBytes: 0 } ? v.Version.Source! : FilesUri(v);

    private static string FilesUri(RegisteredVersion v) => $"{ArtifactPaths.Scheme}{LoggedFiles.Versions}/{v.Model}/{v.Version.Number.Text()}";

    private static string? NullIfEmpty(string text) => text.Length > 0 ? text : null;
}
