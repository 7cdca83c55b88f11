namespace LlmOps.Lifecycle.Tracking;

/// <param name="At">When the client measured it; clocks of clients are taken as they are.</param>
public readonly record struct LoggedMetric(string Key, double Value, DateTimeOffset At, long Step)
{
    public Guid? ModelId { get; init; }
    public string? DatasetName { get; init; }
    public string? DatasetDigest { get; init; }
}

public sealed record KeyValue(string Key, string Value);

/// <summary>What a client logs to one run in one request. Made by <see cref="Checked"/>, so that nothing else gets to the writer.</summary>
public sealed class LogBatch
{
    private LogBatch(Guid runId, IReadOnlyList<LoggedMetric> metrics, IReadOnlyList<KeyValue> parameters, IReadOnlyList<KeyValue> tags) =>
        (RunId, Metrics, Params, Tags) = (runId, metrics, parameters, tags);

    public Guid RunId { get; }
    public IReadOnlyList<LoggedMetric> Metrics { get; }
    public IReadOnlyList<KeyValue> Params { get; }
    public IReadOnlyList<KeyValue> Tags { get; }

    /// <summary>Nothing in it depends on what is stored already, or changes anything of it.</summary>
    public bool IsPointsOnly { get; private init; }

    /// <exception cref="LlmOpsException">Too much of something, a name or a value that is too long, or two values for one parameter.</exception>
    public static LogBatch Checked(Guid runId, IReadOnlyList<LoggedMetric>? metrics = null, IReadOnlyList<KeyValue>? parameters = null, IReadOnlyList<KeyValue>? tags = null)
    {
        (metrics, parameters, tags) = (metrics ?? [], parameters ?? [], tags ?? []);
        TrackingLimits.EnsureCount(metrics.Count, TrackingLimits.MetricsPerBatch, "metrics");
        TrackingLimits.EnsureCount(parameters.Count, TrackingLimits.ParamsPerBatch, "params");
        TrackingLimits.EnsureCount(tags.Count, TrackingLimits.TagsPerBatch, "tags");
        TrackingLimits.EnsureCount(metrics.Count + parameters.Count + tags.Count, TrackingLimits.EntitiesPerBatch, "metrics, params, and tags");
        var plain = parameters.Count == 0 && tags.Count == 0;
        foreach (var metric in metrics)
        {
            plain &= metric.ModelId is null;
            TrackingLimits.EnsureKey(metric.Key, "metric");
            if (metric.DatasetName is not null || metric.DatasetDigest is not null)
            {
                TrackingLimits.EnsureText(metric.DatasetName, "Dataset name", TrackingLimits.DatasetName);
                TrackingLimits.EnsureText(metric.DatasetDigest, "Dataset digest", TrackingLimits.DatasetDigest);
            }
        }
        var values = parameters.Count == 0 ? [] : new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in parameters)
        {
            TrackingLimits.EnsureKey(key, "param");
            TrackingLimits.EnsureText(value, $"Param value of '{key}'", TrackingLimits.ParamValue);
            if (!values.TryAdd(key, value))
                throw LlmOpsException.Invalid($"Duplicate parameter keys have been submitted: {key}. A parameter has one value, and one value only.");
        }
        foreach (var (key, value) in tags)
        {
            TrackingLimits.EnsureKey(key, "tag");
            TrackingLimits.EnsureText(value, $"Tag value of '{key}'", TrackingLimits.TagValue);
        }
        return new(runId, metrics, parameters, tags) { IsPointsOnly = plain };
    }
}
