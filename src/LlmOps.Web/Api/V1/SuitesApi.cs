using System.Security.Claims;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

/// <param name="Rows">Rows of an lm-evaluation-harness task, JSONL, where no dataset version has them.</param>
/// <param name="Judge">Judge version, name/number, that grades the rubrics of a promptfoo configuration.</param>
/// <param name="AtLeast">The score from which a rubric counts as met.</param>
public sealed record ImportSuiteRequest(string Name, string Content, string? Format = null, string? Dataset = null, string? Rows = null, string? Judge = null, double? AtLeast = null)
{
    internal RubricJudge? Rubrics => string.IsNullOrWhiteSpace(Judge) ? null : new(Judge.Trim(), AtLeast);
}

public sealed record StartedSuiteRun(Guid JobId);

public sealed record RetriedRows(int Missing);

public static class SuitesApi
{
    private const int LargestSuite = 64 << 20;

    public static void MapSuites(this IEndpointRouteBuilder v1)
    {
        var suites = v1.MapGroup("/suites").WithTags("Evaluations");
        suites.MapGet("", ([AsParameters] ListParameters list, ReadSuites read, CancellationToken ct) => read.ListAsync(new(list.Q, Skip: list.From, Take: list.Most), ct)).WithSummary("Evaluation suites with their newest version.");
        suites.MapGet("/{name}", (string name, int? number, ReadSuites read, CancellationToken ct) => read.GetAsync(name, number, ct)).WithSummary("A version of a suite, the newest when no number is given.");
        suites.MapGet("/{name}/noise", (string name, int? number, ReadNoise noise, CancellationToken ct) => noise.OfSuiteAsync(name, number, ct)).WithSummary("The noise floor, as the newest repeats of each model show it; empty when it was never repeated.");
        suites.MapPost("", async (HttpRequest request, SaveSuite save, ClaimsPrincipal user, CancellationToken ct) =>
        {
            if (request.ContentLength > LargestSuite)
                throw new LlmOpsException(ErrorCode.RequestLimitExceeded, $"A suite is at most {LargestSuite} bytes. Put its rows into a dataset.");
            using var reader = new StreamReader(request.Body);
            return Saved(await save.SaveAsync(await reader.ReadToEndAsync(ct), user.ToActor(), ct));
        }).RequirePermission(Permission.WriteDatasets).WithSummary("Saves a suite; the body is its YAML. The same content is the version that is there.");
        suites.MapPost("/import", async (ImportSuiteRequest body, SaveSuite save, ClaimsPrincipal user, CancellationToken ct) =>
            Saved(await save.SaveAsync(SuiteYaml.Write(ImportSuite.Read(body.Name, body.Content, body.Format, body.Dataset, body.Rows, body.Rubrics)), user.ToActor(), ct)))
            .RequirePermission(Permission.WriteDatasets).WithSummary("Imports a task file of lm-evaluation-harness, a promptfoo configuration, or JSONL rows.");
        suites.MapPost("/runs", async (EvaluateSuiteParameters body, StartSuiteRun start, ClaimsPrincipal user, CancellationToken ct) =>
            Results.Accepted(value: new StartedSuiteRun(await start.StartAsync(body, user.ToActor(), ct)))).RequirePermission(Permission.RunPipelines).WithSummary("Runs a suite on variants of a version.");
        v1.MapPost("/evaluations/{id:guid}/retry-missing", async (Guid id, StartSuiteRun start, ClaimsPrincipal user, CancellationToken ct) => new RetriedRows(await start.RetryMissingAsync(id, user.ToActor(), ct)))
            .RequirePermission(Permission.RunPipelines).WithTags("Evaluations").WithSummary("Measures again the rows of a run that have no value; finished rows are kept.");
    }

    private static IResult Saved(SavedSuite saved) => saved.IsNew ? Results.Created($"/api/v1/suites/{saved.Name}?number={saved.Number}", saved) : Results.Ok(saved);
}
