using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Security;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Net.Http.Headers;
using System.Security.Claims;

namespace LlmOps.Web.Api.V1;

/// <param name="Form">"checkpoint" or the name of a variant.</param>
public sealed record FileList(string Form, string Digest, long SizeBytes, IReadOnlyList<ArtifactFile> Files);

public static class ModelsApi
{
    public static void MapModels(this IEndpointRouteBuilder v1)
    {
        var models = v1.MapGroup("/models").WithTags("Models");
        models.MapGet("", ([AsParameters] ListParameters list, ReadModels read, CancellationToken ct) => read.ListAsync(list.ToQuery(), ct)).WithSummary("Registered models.");
        models.MapGet("/{name}", (string name, ReadModels read, CancellationToken ct) => read.GetAsync(name, ct)).WithSummary("One model with its aliases.");
        models.MapPut("/{name}/description", async (string name, DescribeRequest body, DescribeModel describe, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await describe.DescribeAsync(name, body.Description, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.WriteModels).WithSummary("Says what the model is for.");
        models.MapGet("/{name}/aliases", async (string name, ReadModels read, CancellationToken ct) => (await read.GetAsync(name, ct)).Aliases).WithSummary("Which version each alias names. Aliases move by approvals only.");
        models.MapGet("/{name}/aliases/moves", async (string name, [AsParameters] ListParameters list, ReadModels read, CancellationToken ct) =>
            await read.AliasMovesAsync((await read.GetAsync(name, ct)).Id, list.From, list.Most, ct)).WithSummary("The history of the aliases, newest first.");
        models.MapGet("/{name}/versions", async (string name, [AsParameters] ListParameters list, ReadModels read, CancellationToken ct) =>
            await read.VersionsAsync((await read.GetAsync(name, ct)).Id, list.ToQuery(), ct)).WithSummary("Versions, newest first.");
        models.MapPost("/{name}/versions", ImportAsync).RequirePermission(Permission.WriteModels)
            .WithMetadata(new RequestSizeLimitAttribute(ImportModel.LargestUpload + UploadedFile.MultipartOverhead))
            .WithSummary("Imports a Hugging Face checkpoint: a zip file of its folder, as the raw body or the first file of a multipart form. The same files again give the version that is there.");
        models.MapGet("/{name}/pareto", (string name, string? quality, string? speed, ReadPareto read, CancellationToken ct) => read.OfModelAsync(name, quality, speed, ct))
            .WithSummary("Quality, speed and size of the measured variants of all versions, and which of them nothing beats. quality and speed are metrics such as corpus.bits_per_byte and latency.ms.");
        MapVersion(models.MapGroup("/{name}/versions/{number:int}"));
    }

    private static void MapVersion(RouteGroupBuilder version)
    {
        version.MapGet("", (string name, int number, ReadVersion read, CancellationToken ct) => read.GetAsync(new(name, number), ct)).WithSummary("One version with its variants.");
        version.MapGet("/measurements", async (string name, int number, ReadVersion read, CancellationToken ct) =>
            await read.MeasurementsAsync(await read.GetAsync(new(name, number), ct), ct)).WithSummary("What was measured on each variant, beside the champion.");
        version.MapGet("/pareto", (string name, int number, string? quality, string? speed, ReadPareto read, CancellationToken ct) => read.OfVersionAsync(new(name, number), quality, speed, ct))
            .WithSummary("The same for the variants of one version.");
        version.MapGet("/lineage", async (string name, int number, ReadVersion read, ReadLineage lineage, CancellationToken ct) =>
            await lineage.OfAsync(await read.GetAsync(new(name, number), ct), ct)).WithSummary("What it was made from and what was made from it.");
        version.MapGet("/history", async (string name, int number, ReadVersion read, ReadLineage lineage, CancellationToken ct) =>
            await lineage.HistoryAsync(await read.GetAsync(new(name, number), ct), ct)).WithSummary("What happened to it, newest first.");
        version.MapGet("/card", async (string name, int number, ReadModelRecords records, CancellationToken ct) =>
            Results.Text(await records.CardAsync(new(name, number), ct), "text/markdown; charset=utf-8")).WithSummary("The model card, as Markdown with the front matter of the Hugging Face Hub.");
        version.MapGet("/bom", async (string name, int number, ReadModelRecords records, CancellationToken ct) =>
            Results.Text(await records.BillOfMaterialsAsync(new(name, number), ct), "application/vnd.cyclonedx+json; charset=utf-8")).WithSummary("The bill of materials: CycloneDX 1.6.");
        version.MapGet("/files", async (string name, int number, ReadVersion read, CancellationToken ct) =>
            (await read.FilesAsync(await read.GetAsync(new(name, number), ct), ct)).Select(f => new FileList(f.Name, f.Digest, f.Manifest.SizeBytes, f.Manifest.Files)))
            .WithSummary("Files of the checkpoint and of each variant, with their SHA-256.");
        version.MapGet("/files/{form}/{**path}", DownloadAsync).WithSummary("One file. Its ETag is its SHA-256; ranges are served.");
    }

    private static async Task<IResult> ImportAsync(string name, string? licence, string? description, HttpRequest request, ImportModel import, ReadVersion read, ClaimsPrincipal user, CancellationToken ct)
    {
        await using var zip = await UploadedFile.ReadAsync(request, ImportModel.LargestUpload, ct);
        var version = await import.ImportZipAsync(name, zip, licence ?? "unknown", description ?? "", user.ToActor(), ct);
        return Results.Created($"/api/v1/models/{name}/versions/{version.Number}", await read.GetAsync(version.Key(), ct));
    }

    private static async Task<IResult> DownloadAsync(string name, int number, string form, string path, ReadVersion read, ArtifactStore artifacts, CancellationToken ct)
    {
        var version = await read.GetAsync(new(name, number), ct);
        var digest = form == "checkpoint" ? version.Digest : version.Variants.FirstOrDefault(v => v.Name == form)?.Digest ?? throw LlmOpsException.NotFound($"Variant of {version.Key}", form);
        var file = (await artifacts.ManifestAsync(digest, ct)).Files.FirstOrDefault(f => f.Path == path) ?? throw LlmOpsException.NotFound($"File of {version.Key}:{form}", path);
        return Results.File(artifacts.OpenFile(file), "application/octet-stream", Path.GetFileName(path), entityTag: new EntityTagHeaderValue($"\"{file.Digest}\""), enableRangeProcessing: true);
    }
}
