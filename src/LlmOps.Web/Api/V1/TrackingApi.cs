using System.Security.Claims;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public static class TrackingApi
{
    public static void MapTracking(this IEndpointRouteBuilder v1)
    {
        var experiments = v1.MapGroup("/experiments").WithTags("Experiments");
        experiments.MapGet("", ([AsParameters] ListParameters list, ReadRuns read, CancellationToken ct) => read.ExperimentsAsync(list.ToQuery(), ct)).WithSummary("Experiments.");
        experiments.MapGet("/{name}", (string name, ReadRuns read, CancellationToken ct) => read.ExperimentAsync(name, ct)).WithSummary("One experiment.");
        experiments.MapGet("/{name}/runs", async (string name, [AsParameters] ListParameters list, RunState? state, ReadRuns read, CancellationToken ct) =>
            await read.ListAsync((await read.ExperimentAsync(name, ct)).Id, list.ToQuery(), state, null, ct)).WithSummary("Its runs, newest first.");
        var runs = v1.MapGroup("/runs").WithTags("Experiments");
        runs.MapGet("/{id:guid}", (Guid id, ReadRuns read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One run with its parameters and the last value of each metric.");
        runs.MapGet("/{id:guid}/metrics", async (Guid id, string? keys, long? after, ReadRuns read, ReadCurves curves, CancellationToken ct) =>
        {
            var named = keys?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [.. (await read.GetAsync(id, ct)).Metrics.Select(m => m.Key)];
            var curve = await curves.ReadAsync([.. named.Select(k => new CurveOf(id, k))], after, ct);
            return new Curves(curve.Steps, named.Zip(curve.Series).ToDictionary(p => p.First, p => p.Second));
        }).WithSummary("Curves: the steps, and for each key a value at each step (\"NaN\" where it has none); long ones are thinned out.");
        MapTraining(runs);
    }

    /// <summary>What a training shows, and what can be done about it.</summary>
    private static void MapTraining(RouteGroupBuilder runs)
    {
        runs.MapGet("/{id:guid}/outputs", (Guid id, ReadRunOutputs read, CancellationToken ct) => read.SeriesAsync(id, ct)).WithSummary("What the model made while it was trained: texts, and pictures with their description, step by step.");
        runs.MapGet("/{id:guid}/outputs/{output:guid}/picture", async (Guid id, Guid output, ReadRunOutputs read, HttpResponse response, CancellationToken ct) =>
        {
            // An output never changes.
            response.Headers.CacheControl = "private, max-age=86400, immutable";
            return Results.Stream(await read.PictureAsync(id, output, ct), RunOutput.Png);
        }).WithSummary("One picture as PNG.");
        runs.MapGet("/{id:guid}/checkpoints", (Guid id, ReadRunOutputs read, CancellationToken ct) => read.CheckpointsAsync(id, ct)).WithSummary("The checkpoints it wrote, newest first, with what is no longer kept.");
        runs.MapPost("/{id:guid}/checkpoints/{checkpoint:guid}/continue", async (Guid id, Guid checkpoint, ContinueRequest? body, ReadRunOutputs read, StartFromCheckpoint start, ClaimsPrincipal user, CancellationToken ct) =>
        {
            if ((await read.CheckpointsAsync(id, ct)).All(c => c.Id != checkpoint))
                throw LlmOpsException.NotFound("Checkpoint", checkpoint);
            var run = await start.StartAsync(checkpoint, body?.With ?? [], user.ToActor(), ct);
            return Results.Created($"/api/v1/pipeline-runs/{run.Id}", new StartedRun(run.Id, run.Name, run.Number, run.State));
        }).RequirePermission(Permission.RunPipelines).WithSummary("Starts the stage again from this checkpoint, in a new run of the same pipeline; \"with\" changes parameters of the stage.");
        Control(runs, "pause", (control, id, actor, ct) => control.PauseAsync(id, actor, ct), "Saves a checkpoint and waits until it is resumed.");
        Control(runs, "resume", (control, id, actor, ct) => control.ResumeAsync(id, actor, ct), "Goes on with a paused training.");
        runs.MapPost("/{id:guid}/cancel", async (Guid id, ReadRuns read, CancelJobUseCase cancel, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await cancel.CancelAsync((await read.GetAsync(id, ct)).JobId ?? throw LlmOpsException.Invalid("This run was made by no job, so there is nothing to cancel."), user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Ends the training without a version; its checkpoints stay.");
        Control(runs, "stop", (control, id, actor, ct) => control.StopAndKeepAsync(id, actor, ct), "Ends the training now and keeps its weights: they become the version.");
    }

    private static void Control(RouteGroupBuilder runs, string word, Func<ControlTraining, Guid, Actor, CancellationToken, Task> ask, string summary) =>
        runs.MapPost($"/{{id:guid}}/{word}", async (Guid id, ControlTraining control, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await ask(control, id, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary(summary);

    /// <param name="With">Parameters of the stage that are to be others than before, for example {"epochs": "6"}.</param>
    public sealed record ContinueRequest(Dictionary<string, string>? With = null);

    public sealed record Curves(IReadOnlyList<long> Steps, IReadOnlyDictionary<string, double[]> Series);
}
