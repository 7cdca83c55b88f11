using System.Security.Claims;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public sealed record JudgeRequest(string Yaml);

/// <param name="Preferences">Preference dataset version, "name/number".</param>
/// <param name="AtLeast">For scores: from which one an answer counts as good; 0 is the middle of the scale.</param>
public sealed record CalibrationRequest(int Number, string Preferences, int MaxRows = 200, double AtLeast = 0);

public static class JudgesApi
{
    public static void MapJudges(this IEndpointRouteBuilder v1)
    {
        var judges = v1.MapGroup("/judges").WithTags("Judges");
        judges.MapGet("", (ReadJudges read, CancellationToken ct) => read.ListAsync(ct)).WithSummary("Judges, each with its newest version and that version's newest calibration.");
        judges.MapGet("/{name}", (string name, int? number, ReadJudges read, CancellationToken ct) => read.GetAsync(name, number, ct)).WithSummary("One judge with its calibrations; without number, the newest version.");
        judges.MapPost("", async (JudgeRequest body, SaveJudge save, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var saved = await save.SaveAsync(body.Yaml, user.ToActor(), ct);
            return saved.IsNew ? Results.Created($"/api/v1/judges/{saved.Name}?number={saved.Number}", saved) : Results.Ok(saved);
        }).RequirePermission(Permission.WriteDatasets).WithSummary("Saves a judge; other content under the same name is its next version.");
        judges.MapPost("/check", (JudgeRequest body) =>
        {
            var problems = new List<FieldProblem>();
            JudgeDocument.TryParse(body.Yaml, problems);
            return problems;
        }).RequirePermission(Permission.WriteDatasets).WithSummary("What is wrong with a judge, each with its line; empty when nothing is.");
        judges.MapPost("/{name}/calibrations", async (string name, CalibrationRequest body, StartCalibration start, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var job = await start.StartAsync(new() { Judge = $"{name}/{body.Number}", Preferences = body.Preferences, MaxRows = body.MaxRows, AtLeast = body.AtLeast }, user.ToActor(), ct);
            return Results.Accepted($"/api/v1/jobs/{job}", new { job });
        }).RequirePermission(Permission.RunPipelines).WithSummary("Holds a judge against answers that people have compared.");
        v1.MapGet("/evaluations/{id:guid}/judges", (Guid id, ReadJudgements read, CancellationToken ct) => read.OfRunAsync(id, ct)).WithTags("Judges")
            .WithSummary("The judges of a run: how they behaved, whether they are calibrated, and the rates corrected for what they get wrong.");
    }
}
