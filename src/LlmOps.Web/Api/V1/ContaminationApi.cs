using System.Security.Claims;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public sealed record StartedContaminationCheck(Guid JobId);

public static class ContaminationApi
{
    public static void MapContamination(this IEndpointRouteBuilder v1)
    {
        var run = v1.MapGroup("/evaluations/{id:guid}/contamination").WithTags("Contamination");
        run.MapGet("", (Guid id, ReadContamination read, CancellationToken ct) => read.OfRunAsync(id, ct)).WithSummary("How many rows of the run the model has learned, as far as the ledger knows: Clean, Contaminated or CannotTell with what was not compared.");
        run.MapGet("/rows", (Guid id, string? kind, string? training, [AsParameters] ListParameters list, ReadContamination read, CancellationToken ct) =>
            read.RowsAsync(id, new(kind, training, list.Q), list.From, list.Most, ct)).WithSummary("The rows that were found, the strongest first; kind: exact, near or contained.");
        run.MapPost("", async (Guid id, StartContaminationCheck start, ClaimsPrincipal user, CancellationToken ct) => Started(await start.StartAsync(new() { Runs = id.ToString() }, user.ToActor(), ct)))
            .RequirePermission(Permission.RunPipelines).WithSummary("Compares what was not compared yet, as a job.");

        var dataset = v1.MapGroup("/datasets/{name}/versions/{number:int}/contamination").WithTags("Contamination");
        dataset.MapGet("", (string name, int number, ReadContamination read, CancellationToken ct) => read.OfDatasetAsync($"{name}/{number}", ct)).WithSummary("Which training sets the held-out rows were compared with, and which evaluation sets with the train rows.");
        dataset.MapPost("", async (string name, int number, string? version, StartContaminationCheck start, ClaimsPrincipal user, CancellationToken ct) =>
            Started(await start.StartAsync(new() { Dataset = $"{name}/{number}", Version = version ?? "" }, user.ToActor(), ct)))
            .RequirePermission(Permission.RunPipelines).WithSummary("Compares the held-out rows with the training data of a version, or of all versions, as a job.");

        var ledger = v1.MapGroup("/contamination").WithTags("Contamination");
        ledger.MapPost("", async (CheckContaminationParameters body, StartContaminationCheck start, ClaimsPrincipal user, CancellationToken ct) => Started(await start.StartAsync(body, user.ToActor(), ct)))
            .RequirePermission(Permission.RunPipelines).WithSummary("Compares runs, a dataset or a suite, as a job.");
        ledger.MapGet("/{id:guid}/rows", (Guid id, string? kind, [AsParameters] ListParameters list, ReadContamination read, CancellationToken ct) =>
            read.ReportRowsAsync(id, new(kind, null, list.Q), list.From, list.Most, ct)).WithSummary("The rows of one report of the ledger.");
    }

    private static IResult Started(Guid job) => Results.Accepted(value: new StartedContaminationCheck(job));
}
