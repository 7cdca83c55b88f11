using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;

namespace LlmOps.Web.Api.Mlflow;

public sealed record KeyValueJson(string? Key, string? Value);

public sealed record ExperimentJson(string ExperimentId, string Name, string ArtifactLocation, string LifecycleStage, long LastUpdateTime, long CreationTime, IReadOnlyList<KeyValueJson>? Tags);

public sealed record RunJson(RunInfoJson Info, RunDataJson Data, RunInputsJson Inputs, RunOutputsJson Outputs);

public sealed record RunInfoJson(string RunId, string RunUuid, string RunName, string ExperimentId, string UserId, string Status, long StartTime, long? EndTime, string ArtifactUri, string LifecycleStage);

public sealed record RunDataJson(IReadOnlyList<MetricJson>? Metrics, IReadOnlyList<KeyValueJson>? Params, IReadOnlyList<KeyValueJson>? Tags);

public sealed record MetricJson(string Key, double Value, long Timestamp, long Step)
{
    public string? RunId { get; init; }
    public string? ModelId { get; init; }
    public string? DatasetName { get; init; }
    public string? DatasetDigest { get; init; }
}

public sealed record DatasetJson(string? Name, string? Digest, string? SourceType, string? Source, string? Schema, string? Profile);

public sealed record DatasetInputJson(IReadOnlyList<KeyValueJson>? Tags, DatasetJson? Dataset);

public sealed record ModelInputJson(string? ModelId);

public sealed record ModelOutputJson(string? ModelId, long? Step);

public sealed record RunInputsJson(IReadOnlyList<DatasetInputJson>? DatasetInputs, IReadOnlyList<ModelInputJson>? ModelInputs);

public sealed record RunOutputsJson(IReadOnlyList<ModelOutputJson>? ModelOutputs);

/// <summary>Records as they go over the wire. A field that is not set, and a list that is empty, is left out.</summary>
public static class Wire
{
    public static long Ms(this DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    public static DateTimeOffset? Time(long? ms, string name) => ms switch
    {
        null => null,
        >= -62_135_596_800_000 and <= 253_402_300_799_999 => DateTimeOffset.FromUnixTimeMilliseconds(ms.Value),
        _ => throw Lifecycle.LlmOpsException.Invalid($"Invalid value {ms} for parameter '{name}' supplied: it is a time in milliseconds since 1970, in the years 1 to 9999."),
    };

    public static IReadOnlyList<KeyValueJson>? Json(this IReadOnlyList<KeyValue> pairs) => pairs.Count == 0 ? null : [.. pairs.Select(p => new KeyValueJson(p.Key, p.Value))];

    public static IReadOnlyList<KeyValue> Pairs(this IReadOnlyList<KeyValueJson>? pairs) => pairs is null ? [] : [.. pairs.Select(p => new KeyValue(TrackingKeys.Required(p?.Key, "key"), p!.Value ?? ""))];

    public static string ArtifactLocation(Guid experiment, string? location) => location ?? ArtifactPaths.Scheme + TrackingKeys.Text(experiment);

    public static string ArtifactUri(LoggedRun run) => $"{ArtifactLocation(run.ExperimentId, run.ArtifactLocation).TrimEnd('/')}/{TrackingKeys.Text(run.Id)}/artifacts";

    public static ExperimentJson Of(Experiment e) => new(TrackingKeys.Text(e.Id), e.Name, ArtifactLocation(e.Id, e.ArtifactLocation), Stage(e.DeletedAt is not null), (e.UpdatedAt ?? e.CreatedAt).Ms(), e.CreatedAt.Ms(),
        Json([.. e.Tags.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => new KeyValue(t.Key, t.Value))]));

    public static RunInfoJson Info(LoggedRun r) => new(TrackingKeys.Text(r.Id), TrackingKeys.Text(r.Id), r.Name, TrackingKeys.Text(r.ExperimentId), r.User, RunStates.Word(r.State), r.StartedAt.Ms(), r.EndedAt?.Ms(), ArtifactUri(r), Stage(r.IsDeleted));

    public static RunJson Of(LoggedRun r) => new(Info(r),
        new(OrNull(r.Metrics.Select(m => new MetricJson(m.Key, m.Number, m.At.Ms(), m.Step))), r.Params.Json(), r.Tags.Json()),
        new(OrNull(r.Inputs.Select(i => new DatasetInputJson(i.Tags.Json(), new(i.Dataset.Name, i.Dataset.Digest, i.Dataset.SourceType, i.Dataset.Source, i.Dataset.Schema, i.Dataset.Profile)))),
            OrNull(r.Models.Where(m => !m.IsOutput).Select(m => new ModelInputJson(TrackingKeys.LoggedModelText(m.ModelId))))),
        new(OrNull(r.Models.Where(m => m.IsOutput).Select(m => new ModelOutputJson(TrackingKeys.LoggedModelText(m.ModelId), m.Step)))));

    public static IReadOnlyList<T>? OrNull<T>(IEnumerable<T> items) => items.ToList() is { Count: > 0 } list ? list : null;

    private static string Stage(bool deleted) => deleted ? "deleted" : "active";

    public static ViewType View(string? word) => word?.ToUpperInvariant() switch
    {
        null or "" or "ACTIVE_ONLY" => ViewType.ActiveOnly,
        "DELETED_ONLY" => ViewType.DeletedOnly,
        "ALL" => ViewType.All,
        _ => throw Lifecycle.LlmOpsException.Invalid($"Invalid value '{TrackingKeys.Shown(word)}' for a view type; it is ACTIVE_ONLY, DELETED_ONLY or ALL."),
    };
}
