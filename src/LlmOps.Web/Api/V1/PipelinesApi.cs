using System.Security.Claims;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Web.Security;
using LlmOps.Worker;

namespace LlmOps.Web.Api.V1;

public sealed record StartedRun(Guid Id, string Pipeline, int Number, PipelineState State);

public sealed record StageKindRow(string Name, string Group, string Description, bool IsHuman, IReadOnlyList<string> Outputs, IReadOnlyList<StageField> Fields);

public static class PipelinesApi
{
    internal const int LargestDefinition = 1 << 20;

    public static void MapPipelines(this IEndpointRouteBuilder v1)
    {
        var pipelines = v1.MapGroup("/pipelines").WithTags("Pipelines");
        pipelines.MapGet("", ([AsParameters] ListParameters list, PipelineOrigin? origin, ReadPipelines read, CancellationToken ct) =>
            read.ListAsync(list.Q, list.From, list.Most, origin ?? PipelineOrigin.Written, ct)).WithSummary("Definitions with their newest run; without those that sweeps made for their trials, unless origin is sweep or any.");
        pipelines.MapGet("/{name}", (string name, ReadPipelines read, CancellationToken ct) => read.GetAsync(name, ct)).WithSummary("One definition with its YAML.");
        pipelines.MapPost("", (string? folder, HttpRequest request, ReadPipelines read, StartPipeline start, PipelineFolders folders, ClaimsPrincipal user, CancellationToken ct) =>
            DefineAsync(null, folder, request, read, start, folders, user, ct)).RequirePermission(Permission.RunPipelines).WithSummary("Defines a pipeline; the body is its YAML. A known name becomes its next revision.");
        pipelines.MapPut("/{name}", DefineAsync).RequirePermission(Permission.RunPipelines).WithSummary("Changes a pipeline; the body is its YAML.");
        pipelines.MapPost("/{name}/runs", async (string name, StartPipeline start, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var run = await start.StartAsync(name, user.ToActor(), ct);
            return Results.Created($"/api/v1/pipeline-runs/{run.Id}", new StartedRun(run.Id, run.Name, run.Number, run.State));
        }).RequirePermission(Permission.RunPipelines).WithSummary("Starts a run.");
        v1.MapGet("/stage-kinds", () => StageKinds.All.Select(k => new StageKindRow(k.Name, k.Group, k.Description, k.IsHuman, k.Outputs, StageFields.Of(k))))
            .WithTags("Pipelines").WithSummary("What a stage can be, with its parameters.");
        MapRuns(v1.MapGroup("/pipeline-runs").WithTags("Pipelines"));
        MapJobs(v1);
    }

    private static void MapRuns(RouteGroupBuilder runs)
    {
        runs.MapGet("", ([AsParameters] ListParameters list, string? pipeline, PipelineState? state, ReadPipelines read, CancellationToken ct) =>
            read.RunsAsync(new(pipeline, state, list.Q), list.From, list.Most, ct)).WithSummary("Runs, newest first.");
        runs.MapGet("/{id:guid}", (Guid id, ReadPipelineRun read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One run with its stages.");
        runs.MapPost("/{id:guid}/cancel", async (Guid id, ControlPipeline control, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await control.CancelAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Cancels what has not finished.");
        runs.MapPost("/{id:guid}/retry", async (Guid id, ControlPipeline control, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await control.ResumeAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Runs failed and cancelled stages again; finished ones keep their results.");
        runs.MapPost("/{id:guid}/stages/{stage}/re-run", async (Guid id, string stage, ControlPipeline control, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await control.RerunFromAsync(id, stage, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Runs this stage and everything after it again.");
        runs.MapPost("/{id:guid}/stages/{stage}/mark-succeeded", async (Guid id, string stage, MarkSucceededRequest body, ControlPipeline control, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await control.MarkSucceededAsync(id, stage, body.Outputs, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Vouches for a failed stage, with the outputs that later stages need.");
        runs.MapGet("/{id:guid}/stages/{stage}/jobs", async (Guid id, string stage, ReadPipelineRun read, ReadJobs jobs, CancellationToken ct) =>
            await jobs.OfStageAsync(((await read.GetAsync(id, ct)).Stages.FirstOrDefault(s => s.Name == stage) ?? throw LlmOpsException.NotFound("Stage", stage)).Id, ct))
            .WithSummary("Every job the stage ever had, newest first.");
    }

    private static void MapJobs(IEndpointRouteBuilder v1)
    {
        var jobs = v1.MapGroup("/jobs").WithTags("Jobs");
        jobs.MapGet("", ([AsParameters] ListParameters list, ReadJobs read, CancellationToken ct) => read.OpenAsync(list.From, list.Most, ct)).WithSummary("Running and queued jobs.");
        jobs.MapGet("/{id:guid}/log", (Guid id, long? after, int? take, ReadJobs read, CancellationToken ct) => read.LogAsync(id, after ?? 0, Math.Clamp(take ?? 500, 1, 5000), ct))
            .WithSummary("Log lines behind the one with the given id: ask again with the last id for the tail.");
        jobs.MapPost("/{id:guid}/cancel", async (Guid id, CancelJobUseCase cancel, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await cancel.CancelAsync(id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Cancels a queued job, asks a running one to stop.");
        v1.MapGet("/workers", (ReadWorkers read, CancellationToken ct) => read.ListAsync(ct: ct)).WithTags("Jobs").WithSummary("Workers with their heartbeat and what they run.");
    }

    private static async Task<PipelineDefinition> DefineAsync(string? name, string? folder, HttpRequest request, ReadPipelines read, StartPipeline start, PipelineFolders folders, ClaimsPrincipal user, CancellationToken ct)
    {
        var yaml = await UploadedFile.TextAsync(request, LargestDefinition, ct);
        var document = PipelineDocument.Parse(yaml);
        if (name is not null && document.Name != name)
            throw LlmOpsException.Invalid($"The YAML is called '{document.Name}', the address '{name}'. Make them the same.");
        // Without a folder a known pipeline keeps its own; a new one has no files beside it.
        if (string.IsNullOrEmpty(folder))
            folder = (await read.NamesAsync(ct)).Contains(document.Name) ? (await read.GetAsync(document.Name, ct)).Folder : "";
        else
            folders.Resolve(folder, ".");
        return await start.DefineAsync(yaml, folder, user.ToActor(), ct);
    }
}
