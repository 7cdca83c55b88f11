using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

internal static class MetricsApi
{
    private sealed record Metric(string? RunId, string? RunUuid, string? Key, double? Value, long? Timestamp, long? Step, string? ModelId, string? DatasetName, string? DatasetDigest);

    private sealed record Parameter(string? RunId, string? RunUuid, string? Key, string? Value);

    private sealed record History(string? RunId, string? RunUuid, string? MetricKey, string? PageToken, int? MaxResults);

    // "run_id" repeated is how the page of the reference server asks
    private sealed record Bulk(IReadOnlyList<string>? RunId, string? MetricKey, int? MaxResults);

    private sealed record Interval(IReadOnlyList<string>? RunIds, string? MetricKey, long? StartStep, long? EndStep, int? MaxResults);

    private sealed record Points(IReadOnlyList<MetricJson>? Metrics, string? NextPageToken);

    public static void MapMetrics(this MlflowRoutes routes)
    {
        routes.Write<Metric>("POST", "/mlflow/runs/log-metric", Permission.RunPipelines, (r, c) => WriteAsync(c, LogBatch.Checked(RunsApi.Id(r.RunId, r.RunUuid), metrics: [Of(r.Key, r.Value, r.Timestamp, r.Step, r.ModelId, r.DatasetName, r.DatasetDigest)])));
        routes.Write<Parameter>("POST", "/mlflow/runs/log-parameter", Permission.RunPipelines, (r, c) => WriteAsync(c, LogBatch.Checked(RunsApi.Id(r.RunId, r.RunUuid), parameters: [new(TrackingKeys.Required(r.Key, "key"), r.Value ?? "")])));
        routes.Raw("POST", "/mlflow/runs/log-batch", Permission.RunPipelines, async c =>
        {
            await c.Get<WriteGroups>().WriteAsync(await MlflowRequest.ReadAsync(c.Http, TrackingLimits.BatchBytes, LogBatchReader.Read), c.Aborted);
            await c.Http.Response.WriteAsJsonAsync(new { }, CancellationToken.None);
        });
        routes.Read<History>("GET", "/mlflow/metrics/get-history", async (r, c) =>
        {
            var page = await c.Get<ReadMetricHistory>().PageAsync(RunsApi.Id(r.RunId, r.RunUuid), r.MetricKey, r.MaxResults, r.PageToken, c.Aborted);
            return new Points(Wire.OrNull(page.Items.Select(p => new MetricJson(p.Key, p.Value, p.At.Ms(), p.Step))), page.NextPageToken);
        });
        routes.Read<Interval>("GET", "/mlflow/metrics/get-history-bulk-interval", async (r, c) => Bulky(await c.Get<ReadMetricHistory>().SampleAsync(Runs(r.RunIds), r.MetricKey, r.StartStep, r.EndStep, r.MaxResults ?? 320, c.Aborted)));
        routes.Read<Bulk>("GET", "/mlflow/metrics/get-history-bulk", async (r, c) => Bulky(await c.Get<ReadMetricHistory>().SampleAsync(Runs(r.RunId), r.MetricKey, null, null, r.MaxResults ?? ReadMetricHistory.MostPoints, c.Aborted)));
    }

    private static Guid[] Runs(IReadOnlyList<string>? ids) => [.. (ids ?? []).Select(TrackingKeys.Run)];

    private static Points Bulky(IReadOnlyList<HistoryPoint> points) => new(Wire.OrNull(points.Select(p => new MetricJson(p.Key, p.Value, p.At.Ms(), p.Step) { RunId = TrackingKeys.Text(p.RunId) })), null);

    private static async Task<object?> WriteAsync(MlflowCall call, LogBatch batch)
    {
        await call.Get<WriteGroups>().WriteAsync(batch, call.Aborted);
        return null;
    }

    internal static LoggedMetric Of(string? key, double? value, long? timestamp, long? step, string? model, string? dataset, string? digest)
    {
        TrackingKeys.Required(key, "key");
        if (value is null)
            throw LlmOpsException.Invalid($"Missing value for required parameter 'value'. The metric '{TrackingKeys.Shown(key!)}' has none.");
        if (timestamp is null)
            throw LlmOpsException.Invalid($"Missing value for required parameter 'timestamp'. The metric '{TrackingKeys.Shown(key!)}' has none.");
        return new(key!, value.Value, Wire.Time(timestamp, "timestamp")!.Value, step ?? 0)
        {
            ModelId = string.IsNullOrEmpty(model) ? null : TrackingKeys.LoggedModel(model), DatasetName = dataset, DatasetDigest = digest,
        };
    }
}
