using System.Security.Claims;
using LlmOps.Engines.Planning;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Planning;
using LlmOps.Web.Security;
using Microsoft.OpenApi;

namespace LlmOps.Web.Api.V1;

/// <param name="ThisMachine">Null until it was measured.</param>
public sealed record PlanningChoices(IReadOnlyList<ModelShape> Models, IReadOnlyList<Hardware> Hardware, MeasuredMachine? ThisMachine);

public static class PlanningApi
{
    public static void MapPlanning(this IEndpointRouteBuilder v1)
    {
        var plan = v1.MapGroup("/plan").WithTags("Planning");
        plan.MapGet("", (HttpRequest request, PlanFit fit, CancellationToken ct) => fit.AnswerAsync(FitQuestion.Parse(request.Query.Select(q => (q.Key, q.Value.ToString()))), ct))
            .WithSummary("Whether a model fits a machine, how fast it would be in each precision, what to deploy, and how right the planner was about what was measured.")
            .AddOpenApiOperationTransformer((operation, _, _) =>
            {
                operation.Parameters = [.. FitQuestion.Fields.Select(f => new OpenApiParameter
                {
                    Name = f.Name, In = ParameterLocation.Query, Description = f.Help, Schema = new OpenApiSchema { Type = f.Type switch { FitFieldType.Integer => JsonSchemaType.Integer, FitFieldType.Number => JsonSchemaType.Number, FitFieldType.Flag => JsonSchemaType.Boolean, _ => JsonSchemaType.String } },
                })];
                return Task.CompletedTask;
            });
        plan.MapGet("/training", async (string pipeline, string? stage, ReadPipelines read, PlanTraining training, CancellationToken ct) =>
            await TrainingsAsync((await read.GetAsync(pipeline, ct)).Yaml, stage, training, ct)).WithSummary("Length, memory and time of a pipeline's training stages before they start, or of one of them.");
        plan.MapPost("/training", async (string? stage, HttpRequest request, PlanTraining training, CancellationToken ct) =>
            await TrainingsAsync(await UploadedFile.TextAsync(request, PipelinesApi.LargestDefinition, ct), stage, training, ct))
            .RequirePermission(Permission.RunPipelines).WithSummary("The same for a pipeline that is not defined yet; the body is its YAML.");
        plan.MapGet("/choices", async (MeasureMachine machines, CancellationToken ct) => new PlanningChoices(KnownShapes.All, KnownHardware.All, await machines.FindAsync(ct)))
            .WithSummary("Known models and machines, and the figures of this one.");
        plan.MapPost("/machine", (MeasureMachine machines, ClaimsPrincipal user, CancellationToken ct) => machines.MeasureAsync(user.ToActor(), ct))
            .RequirePermission(Permission.RunPipelines).WithSummary("Measures the machine that this server runs on, which is busy for about two seconds.");
    }

    private static async Task<IReadOnlyList<TrainingPlan>> TrainingsAsync(string yaml, string? stage, PlanTraining training, CancellationToken ct) =>
        string.IsNullOrEmpty(stage) ? await training.PlanAllAsync(yaml, ct) : [await training.PlanAsync(yaml, stage, ct)];
}
