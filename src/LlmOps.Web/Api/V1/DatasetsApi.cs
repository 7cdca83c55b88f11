using System.Security.Claims;
using System.Text.Json;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Security;
using Microsoft.AspNetCore.Mvc;

namespace LlmOps.Web.Api.V1;

public sealed record Rows(IReadOnlyList<JsonElement> Items, int Total);

public sealed record Imported(string Name, int Number, string Digest, int TrainRows, int HeldOutRows, int QuarantinedRows);

public static class DatasetsApi
{
    public static void MapDatasets(this IEndpointRouteBuilder v1)
    {
        var datasets = v1.MapGroup("/datasets").WithTags("Datasets");
        datasets.MapGet("", ([AsParameters] ListParameters list, DatasetKind? kind, ReadDatasets read, CancellationToken ct) => read.ListAsync(list.ToQuery(), kind, ct)).WithSummary("Datasets with their newest version.");
        datasets.MapGet("/{name}/versions", async (string name, ReadDatasets read, CancellationToken ct) =>
            await read.VersionsAsync(await read.GetIdAsync(name, ct), ct)).WithSummary("Versions, newest first.");
        datasets.MapPost("/{name}/versions", ImportAsync).RequirePermission(Permission.WriteDatasets)
            .WithMetadata(new RequestSizeLimitAttribute(ImportDataset.LargestUpload + UploadedFile.MultipartOverhead))
            .WithSummary("Imports rows as JSONL, Parquet or CSV: the raw body, or the first file of a multipart form. The same rows again give the version that is there.");
        MapVersion(datasets.MapGroup("/{name}/versions/{number:int}"));
    }

    private static void MapVersion(RouteGroupBuilder version)
    {
        version.MapGet("", (string name, int number, ReadDatasets read, CancellationToken ct) => read.GetAsync(name, number, ct)).WithSummary("One version with its statistics.");
        version.MapGet("/uses", (string name, int number, ReadDatasets read, CancellationToken ct) => read.UsesAsync($"{name}/{number}", ct)).WithSummary("What was trained on it and measured with it.");
        version.MapGet("/rows", async (string name, int number, string? split, int? skip, int? take, ReadDatasets read, ReadRows rows, CancellationToken ct) =>
        {
            var page = await rows.PageAsync((await read.GetAsync(name, number, ct)).Id, split ?? "train", skip ?? 0, take ?? 50, ct);
            return new Rows([.. page.Rows.Select(r => JsonSerializer.Deserialize<JsonElement>(r))], page.Total);
        }).WithSummary("Rows of a split: train, held-out or quarantine.");
        version.MapGet("/export", async (string name, int number, string? split, string? format, ExportDataset export, CancellationToken ct) =>
        {
            var asked = Parsed.Word<RowFileFormat>(format ?? "jsonl", "format");
            var extension = asked.ToString().ToLowerInvariant();
            return Results.File(await export.ExportAsync(name, number, split ?? "train", asked, ct), asked switch { RowFileFormat.Csv => "text/csv; charset=utf-8", RowFileFormat.Jsonl => "application/jsonl; charset=utf-8", _ => "application/vnd.apache.parquet" },
                $"{name}-{number}-{split ?? "train"}.{extension}", enableRangeProcessing: true);
        }).WithSummary("A split as a file; format: jsonl, csv or parquet. Rows with objects in them are JSONL only.");
        version.MapGet("/annotations/progress", async (string name, int number, string? split, ReadDatasets read, ReadAnnotations annotations, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var detail = await read.GetAsync(name, number, ct);
            return await annotations.ProgressAsync(detail.Id, split ?? "train", detail.RowsOf(split ?? "train"), user.ToActor().Id, ct);
        }).WithSummary("How far you are with the preference rows of a split.");
        version.MapPut("/annotations/{split}/{row:int}", async (string name, int number, string split, int row, AnswerRequest body, ReadDatasets read, Annotate annotate, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await annotate.AnswerAsync((await read.GetAsync(name, number, ct)).Id, split, row, body.Preferred, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Annotate).WithSummary("Your answer to a preference row: chosen, rejected, tie or skip.");
        version.MapDelete("/annotations/{split}/{row:int}", async (string name, int number, string split, int row, ReadDatasets read, Annotate annotate, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await annotate.UndoAsync((await read.GetAsync(name, number, ct)).Id, split, row, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Annotate).WithSummary("Takes your answer back.");
    }

    private static async Task<IResult> ImportAsync(string name, string? kind, [FromQuery(Name = "on_bad_row")] string? onBadRow, string? licence, string? source,
        HttpRequest request, ImportDataset import, ClaimsPrincipal user, CancellationToken ct)
    {
        var parsed = Parsed.Word<DatasetKind>(kind, "kind");
        var quarantine = Parsed.Word<OnBadRow>(onBadRow ?? nameof(OnBadRow.Refuse), "on_bad_row") == OnBadRow.Quarantine;
        await using var rows = await UploadedFile.ReadAsync(request, ImportDataset.LargestUpload, ct);
        var version = await import.ImportAsync(name, parsed, rows, quarantine, licence ?? "", source ?? "API upload", user.ToActor(), ct);
        return Results.Created($"/api/v1/datasets/{name}/versions/{version.Number}",
            new Imported(name, version.Number, version.ArtifactDigest, version.TrainRows, version.HeldOutRows, version.QuarantinedRows));
    }

    private enum OnBadRow { Refuse, Quarantine }
}
