using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Traces in version 3 of the API, and what both versions share. They are the traces of the pages, whoever sent them.</summary>
internal static class TracesApi
{
    private const string Path = "/mlflow/traces";

    private sealed record TraceJson(TraceInfoJson? TraceInfo, IReadOnlyList<JsonElement>? Spans);

    private sealed record Start(TraceJson? Trace);

    private sealed record One(string? TraceId, bool? AllowPartial);

    private sealed record Nothing;

    private sealed record Many(IReadOnlyList<string>? TraceIds, IReadOnlyList<string>? ExperimentIds);

    private sealed record Search(IReadOnlyList<TraceLocationJson>? Locations, IReadOnlyList<string>? ExperimentIds, string? Filter, int? MaxResults, IReadOnlyList<string>? OrderBy, string? PageToken);

    private sealed record Delete(string? ExperimentId, long? MaxTimestampMillis, int? MaxTraces, IReadOnlyList<string>? RequestIds, IReadOnlyList<string>? TraceIds);

    private sealed record Deleted(int TracesDeleted);

    private sealed record Tag(string? Key, string? Value);

    private sealed record Correlate(IReadOnlyList<string>? ExperimentIds, string? FilterString1, string? FilterString2, string? BaseFilter);

    private sealed record Correlation(double? Npmi, double? NpmiSmoothed, long Filter1Count, long Filter2Count, long JointCount, long TotalCount);

    private sealed record Found(TraceInfoOnly Trace);

    private sealed record TraceInfoOnly(TraceInfoJson TraceInfo);

    private sealed record FoundInfos(IReadOnlyList<TraceInfoJson>? TraceInfos);

    private sealed record FoundMany(IReadOnlyList<TraceInfoJson>? Traces, string? NextPageToken);

    private sealed record WholeTrace(TraceInfoJson TraceInfo, IReadOnlyList<OtelSpanJson> Spans);

    private sealed record Whole(WholeTrace Trace);

    private sealed record WholeMany(IReadOnlyList<WholeTrace>? Traces);

    public static void MapTraces(this MlflowRoutes routes)
    {
        routes.Write<Start>("POST", Path, Permission.RunPipelines, StartAsync, "3.0");
        routes.Read<One>("GET", Path + "/get", async (r, c) => new Whole((await WholeAsync(c, [TraceKeys.Known(r.TraceId)])) is [var one] ? one : throw TraceKeys.NotFound(r.TraceId!)), "3.0");
        routes.Read<Many>("GET", Path + "/batchGet", async (r, c) => new WholeMany(Wire.OrNull(await WholeAsync(c, Ids(r.TraceIds)))), "3.0");
        routes.Read<Many>("POST", Path + "/batchGetInfos", async (r, c) => new FoundInfos(Wire.OrNull((await c.Get<ReadLoggedTraces>().ManyAsync(Ids(r.TraceIds), c.Aborted)).Select(TraceWire.Of))), "3.0");
        routes.Read<Search>("POST", Path + "/search", async (r, c) =>
        {
            var experiments = (r.Locations ?? []).Select(l => l?.MlflowExperiment?.ExperimentId ?? throw LlmOpsException.Invalid("Every location names an mlflow_experiment with its experiment_id.")).Concat(r.ExperimentIds ?? []).ToList();
            var page = await c.Get<ReadLoggedTraces>().SearchAsync(RunsApi.Experiments(experiments), r.Filter, r.OrderBy, r.MaxResults, r.PageToken, c.Aborted);
            return new FoundMany(Wire.OrNull(page.Items.Select(TraceWire.Of)), page.NextPageToken);
        }, "3.0");
        routes.Read<Correlate>("POST", Path + "/calculate-filter-correlation", CorrelateAsync, "3.0");
        routes.Read<Nothing>("GET", Path + "/{trace_id}", async (_, c) => new Found(new(TraceWire.Of(await c.Get<ReadLoggedTraces>().GetAsync(Id(c), c.Aborted)))), "3.0");
        foreach (var since in new[] { "2.0", "3.0" })
        {
            routes.Write<Delete>("POST", Path + "/delete-traces", Permission.RunPipelines, DeleteAsync, since);
            routes.Write<Tag>("PATCH", Path + "/{trace_id}/tags", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<LogTrace>().TagAsync(Id(c), r.Key, r.Value, c.Aborted)), since);
            routes.Write<Tag>("DELETE", Path + "/{trace_id}/tags", Permission.RunPipelines, (r, c) => ExperimentsApi.Done(c.Get<LogTrace>().UntagAsync(Id(c), r.Key, c.Aborted)), since);
            routes.Raw("GET", "/mlflow/get-trace-artifact", Permission.Read, TraceFileApi.GetTraceArtifactAsync, since);
        }
    }

    internal static string Id(MlflowCall call) => TraceKeys.Known(call.Http.GetRouteValue("trace_id") as string);

    private static string[] Ids(IReadOnlyList<string>? ids) => [.. (ids ?? []).Select(i => TraceKeys.Find(i)).OfType<string>().Distinct()];

    private static async Task<object?> StartAsync(Start request, MlflowCall call)
    {
        var info = request.Trace?.TraceInfo ?? throw LlmOpsException.Invalid("Missing value for required parameter 'trace.trace_info'. See the API docs for more information about request parameters.");
        var id = TraceKeys.New(info.TraceId);
        var experiment = info.TraceLocation?.MlflowExperiment?.ExperimentId is { Length: > 0 } named ? TrackingKeys.Experiment(named) : TrackingKeys.DefaultExperimentId;
        await call.Get<LogTrace>().StartAsync(new(id, experiment, TraceWire.ParseTime(info.RequestTime, "request_time"), TraceWire.ParseDuration(info.ExecutionDuration, "execution_duration"), LogTrace.EnsureState(info.State),
            info.ClientRequestId, info.RequestPreview, info.ResponsePreview, TraceWire.Pairs(info.TraceMetadata), TraceWire.Pairs(info.Tags)), call.Aborted);
        if (request.Trace.Spans is { Count: > 0 } spans)
            await TraceFileApi.ReceiveAsync(call, id, spans);
        foreach (var assessment in info.Assessments ?? [])
            await call.Get<AssessTrace>().CreateAsync(AssessmentsApi.New(assessment with { TraceId = info.TraceId }, id), call.Actor, call.Aborted);
        return new Found(new(TraceWire.Of(await call.Get<ReadLoggedTraces>().GetAsync(id, call.Aborted))));
    }

    private static async Task<List<WholeTrace>> WholeAsync(MlflowCall call, IReadOnlyList<string> ids)
    {
        var read = call.Get<ReadLoggedTraces>();
        var infos = await read.ManyAsync(ids, call.Aborted);
        var spans = await read.SpansAsync(ids, call.Aborted);
        return [.. infos.Select(i => new WholeTrace(TraceWire.Of(i), [.. spans[i.TraceId].Select(SpanWire.Otel)]))];
    }

    private static async Task<object?> DeleteAsync(Delete request, MlflowCall call)
    {
        var experiment = TrackingKeys.Experiment(request.ExperimentId);
        var named = request.RequestIds ?? request.TraceIds;
        if (named is { Count: > 0 } ? request.MaxTimestampMillis is not null || request.MaxTraces is not null : request.MaxTimestampMillis is null)
            throw LlmOpsException.Invalid("Either `max_timestamp_millis` or `request_ids` must be specified, and not both.");
        var delete = call.Get<DeleteTraces>();
        return new Deleted(named is { Count: > 0 } ? await delete.ByIdAsync(experiment, Ids(named), call.Actor, call.Aborted)
            : await delete.UntilAsync(experiment, Wire.Time(request.MaxTimestampMillis, "max_timestamp_millis")!.Value, request.MaxTraces, call.Actor, call.Aborted));
    }

    /// <summary>
    /// Normalized pointwise mutual information of two filters: log(p(a,b) / (p(a) p(b))) / −log p(a,b); −1 where they never meet, 1 where they always do. Smoothed with half a
    /// trace in each of the four cells.
    /// </summary>
    private static async Task<object> CorrelateAsync(Correlate request, MlflowCall call)
    {
        var experiments = RunsApi.Experiments(request.ExperimentIds);
        var (one, two) = (TrackingKeys.Required(request.FilterString1, "filter_string1"), TrackingKeys.Required(request.FilterString2, "filter_string2"));
        var read = call.Get<ReadLoggedTraces>();
        Task<long> Count(params string?[] filters) => read.CountAsync(experiments, [.. filters, request.BaseFilter], call.Aborted);
        var (first, second, joint, total) = (await Count(one), await Count(two), await Count(one, two), await Count());
        return new Correlation(FilterCorrelation.Npmi(first, second, joint, total), FilterCorrelation.Smoothed(first, second, joint, total), first, second, joint, total);
    }
}
