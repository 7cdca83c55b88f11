using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Traces as clients before version 3 tell of them, and the links that are only there.</summary>
internal static class TracesV2Api
{
    private const string Path = "/mlflow/traces";

    private sealed record Start(string? ExperimentId, long? TimestampMs, IReadOnlyList<KeyValueJson>? RequestMetadata, IReadOnlyList<KeyValueJson>? Tags);

    private sealed record End(long? TimestampMs, string? Status, IReadOnlyList<KeyValueJson>? RequestMetadata, IReadOnlyList<KeyValueJson>? Tags);

    private sealed record Nothing;

    private sealed record Search(IReadOnlyList<string>? ExperimentIds, string? Filter, int? MaxResults, IReadOnlyList<string>? OrderBy, string? PageToken);

    private sealed record LinkToRun(IReadOnlyList<string>? TraceIds, string? RunId);

    private sealed record PromptJson(string? Name, string? Version);

    private sealed record LinkPrompts(string? TraceId, IReadOnlyList<PromptJson>? PromptVersions);

    private sealed record Found(TraceInfoV2Json TraceInfo);

    private sealed record FoundMany(IReadOnlyList<TraceInfoV2Json>? Traces, string? NextPageToken);

    public static void MapTracesV2(this MlflowRoutes routes)
    {
        routes.Write<Start>("POST", Path, Permission.RunPipelines, async (r, c) =>
        {
            var id = Guid.NewGuid().ToString("N");
            await c.Get<LogTrace>().StartAsync(new(id, TrackingKeys.Experiment(r.ExperimentId), Time(r.TimestampMs), null, "IN_PROGRESS", null, null, null, r.RequestMetadata.Pairs(), r.Tags.Pairs()), c.Aborted);
            return new Found(TraceWire.V2(await c.Get<ReadLoggedTraces>().GetAsync(id, c.Aborted)));
        });
        routes.Write<End>("PATCH", Path + "/{trace_id}", Permission.RunPipelines, async (r, c) =>
        {
            var id = TracesApi.Id(c);
            await c.Get<LogTrace>().EndAsync(id, Time(r.TimestampMs), LogTrace.EnsureState(r.Status), r.RequestMetadata.Pairs(), r.Tags.Pairs(), c.Aborted);
            return new Found(TraceWire.V2(await c.Get<ReadLoggedTraces>().GetAsync(id, c.Aborted)));
        });
        routes.Read<Nothing>("GET", Path + "/{trace_id}/info", async (_, c) => new Found(TraceWire.V2(await c.Get<ReadLoggedTraces>().GetAsync(TracesApi.Id(c), c.Aborted))));
        routes.Read<Search>("GET", Path, async (r, c) =>
        {
            var page = await c.Get<ReadLoggedTraces>().SearchAsync(RunsApi.Experiments(r.ExperimentIds), r.Filter, r.OrderBy, r.MaxResults, r.PageToken, c.Aborted);
            return new FoundMany(Wire.OrNull(page.Items.Select(TraceWire.V2)), page.NextPageToken);
        });
        routes.Write<LinkToRun>("POST", Path + "/link-to-run", Permission.RunPipelines, (r, c) =>
            ExperimentsApi.Done(c.Get<LogTrace>().LinkToRunAsync([.. (r.TraceIds ?? []).Select(t => TraceKeys.Known(t, "trace_ids"))], TrackingKeys.Run(r.RunId), c.Aborted)));
        routes.Write<LinkPrompts>("POST", Path + "/link-prompts", Permission.RunPipelines, (r, c) =>
            ExperimentsApi.Done(c.Get<LogTrace>().LinkPromptsAsync(TraceKeys.Known(r.TraceId), [.. (r.PromptVersions ?? []).Select(p => new PromptLink(p?.Name ?? "", p?.Version ?? ""))], c.Aborted)));
    }

    /// <summary>Spans begin in 1970 or later.</summary>
    private static DateTimeOffset? Time(long? ms) => ms is < 0 ? throw Lifecycle.LlmOpsException.Invalid($"Invalid value {ms} for parameter 'timestamp_ms' supplied: it is a time in milliseconds since 1970.") : Wire.Time(ms, "timestamp_ms");
}
