using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.V1;

public static class TrackingApi
{
    public static void MapTracking(this IEndpointRouteBuilder v1)
    {
        var experiments = v1.MapGroup("/experiments").WithTags("Experiments");
        experiments.MapGet("", ([AsParameters] ListParameters list, ReadRuns read, CancellationToken ct) => read.ExperimentsAsync(list.ToQuery(), ct)).WithSummary("Experiments.");
        experiments.MapGet("/{name}", (string name, ReadRuns read, CancellationToken ct) => read.ExperimentAsync(name, ct)).WithSummary("One experiment.");
        experiments.MapGet("/{name}/runs", async (string name, [AsParameters] ListParameters list, RunState? state, ReadRuns read, CancellationToken ct) =>
            await read.ListAsync((await read.ExperimentAsync(name, ct)).Id, list.ToQuery(), state, ct)).WithSummary("Its runs, newest first.");
        var runs = v1.MapGroup("/runs").WithTags("Experiments");
        runs.MapGet("/{id:guid}", (Guid id, ReadRuns read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One run with its parameters and the last value of each metric.");
        runs.MapGet("/{id:guid}/metrics", async (Guid id, string? keys, int? after, ReadRuns read, ReadCurves curves, CancellationToken ct) =>
        {
            var named = keys?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [.. (await read.GetAsync(id, ct)).Metrics.Select(m => m.Key)];
            var curve = await curves.ReadAsync([.. named.Select(k => new CurveOf(id, k))], after, ct);
            return new Curves(curve.Steps, named.Zip(curve.Series).ToDictionary(p => p.First, p => p.Second));
        }).WithSummary("Curves: the steps, and for each key a value at each step (\"NaN\" where it has none); long ones are thinned out.");
    }

    public sealed record Curves(IReadOnlyList<int> Steps, IReadOnlyDictionary<string, double[]> Series);
}
