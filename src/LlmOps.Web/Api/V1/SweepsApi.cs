using System.Security.Claims;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Sweeps.Search;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

/// <param name="Best">Number of the best trial so far.</param>
public sealed record SweepAnswer(SweepRow Sweep, string? Error, IReadOnlyList<SearchDimension> Space, SweepMetric Metric, int? Best, IReadOnlyList<TrialRow> Trials, IReadOnlyList<ParameterImportance> Importance)
{
    public static SweepAnswer Of(SweepDetail d) => new(d.Row, d.Error, d.Space.Dimensions, d.Metric, d.Best?.Number, d.Trials, d.Importance);
}

/// <param name="Runs">Pipeline runs there will be when none fails.</param>
public sealed record CheckedSweep(string Name, string Pipeline, string Stage, string Method, long Runs);

public sealed record StartedSweep(Guid Id, string Name, SweepState State);

public static class SweepsApi
{
    private const int LargestDocument = 1 << 20;

    public static void MapSweeps(this IEndpointRouteBuilder v1)
    {
        var sweeps = v1.MapGroup("/sweeps").WithTags("Sweeps");
        sweeps.MapGet("", ([AsParameters] ListParameters list, SweepState? state, ReadSweeps read, CancellationToken ct) => read.ListAsync(list.ToQuery(), state, ct)).WithSummary("Sweeps, newest first.");
        sweeps.MapGet("/{name}", async (string name, ReadSweeps read, CancellationToken ct) => SweepAnswer.Of(await read.GetAsync(name, ct))).WithSummary("One sweep with its trials.");
        sweeps.MapPost("", async (HttpRequest request, StartSweep start, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var sweep = await start.StartAsync(await UploadedFile.TextAsync(request, LargestDocument, ct), user.ToActor(), ct);
            return Results.Created($"/api/v1/sweeps/{sweep.Name}", new StartedSweep(sweep.Id, sweep.Name, sweep.State));
        }).RequirePermission(Permission.RunPipelines).WithSummary("Starts a sweep; the body is its YAML.");
        sweeps.MapPost("/check", async (HttpRequest request, StartSweep start, CancellationToken ct) =>
        {
            var document = await start.CheckAsync(await UploadedFile.TextAsync(request, LargestDocument, ct), ct);
            return new CheckedSweep(document.Name, document.Pipeline, document.Stage, document.Plan.Method, document.Plan.Runs());
        }).RequirePermission(Permission.RunPipelines).WithSummary("Says what is wrong with a sweep's YAML, or how many runs it would make.");
        sweeps.MapPost("/{name}/stop", async (string name, StopSweep stop, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await stop.StopAsync(name, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.RunPipelines).WithSummary("Starts no further trial and cancels those that run; what was measured stays.");
    }
}
