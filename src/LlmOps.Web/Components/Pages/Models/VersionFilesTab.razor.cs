using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Registry;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>The checkpoint's and each variant's files with their digests.</summary>
public sealed partial class VersionFilesTab
{
    private IReadOnlyList<(string Name, string Digest, ArtifactManifest Manifest)>? files;

    [Inject] private ReadVersion Versions { get; set; } = null!;

    [Parameter, EditorRequired] public VersionDetail Version { get; set; } = null!;

    protected override async Task OnParametersSetAsync() => files = await Versions.FilesAsync(Version);

    private string Href(string form, string path) => $"/api/v1/models/{Version.Model}/versions/{Version.Number}/files/{form}/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}";
}
