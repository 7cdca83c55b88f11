using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Numbers over many traces, for the charts of clients.</summary>
internal static class TraceMetricsApi
{
    private sealed record Query(IReadOnlyList<string>? ExperimentIds, string? ViewType, string? MetricName, IReadOnlyList<AggregationJson?>? Aggregations, IReadOnlyList<string>? Dimensions, IReadOnlyList<string>? Filters,
        long? TimeIntervalSeconds, long? StartTimeMs, long? EndTimeMs, int? MaxResults, string? PageToken);

    private sealed record AggregationJson(string? AggregationType, double? PercentileValue);

    private sealed record PointJson(string MetricName, IReadOnlyDictionary<string, string> Dimensions, IReadOnlyDictionary<string, double> Values);

    private sealed record Points(IReadOnlyList<PointJson> DataPoints, string? NextPageToken);

    public static void MapTraceMetrics(this MlflowRoutes routes) => routes.Read<Query>("POST", "/mlflow/traces/metrics", async (r, c) =>
    {
        var page = await c.Get<ReadTraceMetrics>().ReadAsync(new(RunsApi.Experiments(r.ExperimentIds), r.ViewType, r.MetricName, [.. (r.Aggregations ?? []).Select(a => new MetricAggregation(a?.AggregationType, a?.PercentileValue))],
            r.Dimensions ?? [], r.Filters ?? [], r.TimeIntervalSeconds, r.StartTimeMs, r.EndTimeMs, r.MaxResults, r.PageToken), c.Aborted);
        return new Points([.. page.Items.Select(p => new PointJson(r.MetricName!, p.Dimensions, p.Values))], page.NextPageToken);
    }, "3.0");
}
