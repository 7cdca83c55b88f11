using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Handlers;

/// <summary>Finds a version and the folder of one of its variants.</summary>
internal static class VariantFolders
{
    public static async Task<(ModelVersion Version, ModelVariant Variant, string Folder)> OpenVariantAsync(this LlmOpsDb db, ArtifactStore artifacts, string version, string variant, CancellationToken ct)
    {
        var found = await db.ModelVersions.GetAsync(VersionKey.Parse(version), ct);
        var form = await db.ModelVariants.AsNoTracking().SingleOrDefaultAsync(v => v.VersionId == found.Id && v.Name == variant, ct)
            ?? throw LlmOpsException.NotFound($"Variant of {version}", variant);
        return (found, form, await artifacts.FolderAsync(form.ArtifactDigest, ct));
    }
}
