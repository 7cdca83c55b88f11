using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

public sealed record MlflowExperimentJson(string? ExperimentId);

public sealed record TraceLocationJson(string? Type, MlflowExperimentJson? MlflowExperiment);

public sealed record TraceInfoJson(string? TraceId, string? ClientRequestId, TraceLocationJson? TraceLocation, string? RequestPreview, string? ResponsePreview, string? RequestTime, string? ExecutionDuration, string? State,
    IReadOnlyDictionary<string, string?>? TraceMetadata, IReadOnlyDictionary<string, string?>? Tags, IReadOnlyList<AssessmentJson>? Assessments);

/// <summary>Version 2 of the same, for older clients.</summary>
public sealed record TraceInfoV2Json(string RequestId, string ExperimentId, long TimestampMs, long? ExecutionTimeMs, string Status, IReadOnlyList<KeyValueJson>? RequestMetadata, IReadOnlyList<KeyValueJson>? Tags, IReadOnlyList<AssessmentJson>? Assessments);

public sealed record AssessmentSourceJson(string? SourceType, string? SourceId);

public sealed record AssessmentErrorJson(string? ErrorCode, string? ErrorMessage);

public sealed record FeedbackJson(JsonElement? Value, AssessmentErrorJson? Error);

public sealed record ExpectationJson(JsonElement? Value, SerializedValueJson? SerializedValue);

/// <summary>How clients send lists and objects.</summary>
public sealed record SerializedValueJson(string? SerializationFormat, string? Value);

public sealed record AssessmentJson(string? AssessmentId, string? AssessmentName, string? TraceId, string? SpanId, AssessmentSourceJson? Source, string? CreateTime, string? LastUpdateTime, FeedbackJson? Feedback, ExpectationJson? Expectation,
    string? Rationale, AssessmentErrorJson? Error, IReadOnlyDictionary<string, string?>? Metadata, string? Overrides, bool? Valid);

/// <summary>Traces and assessments as they go over the wire: times as RFC 3339, durations in seconds with an s.</summary>
internal static class TraceWire
{
    public const string AssessmentStart = "a-";

    public static TraceInfoJson Of(TraceSummary t) => new(TraceKeys.Text(t.TraceId), t.ClientRequestId, new("MLFLOW_EXPERIMENT", new(TrackingKeys.Text(t.ExperimentId))), t.RequestPreview, t.ResponsePreview, Time(t.At), Duration(t.DurationMs), t.State,
        t.Metadata.ToDictionary(p => p.Key, p => (string?)p.Value), t.Tags.ToDictionary(p => p.Key, p => (string?)p.Value), Wire.OrNull(t.Assessments.Select(Of)));

    public static TraceInfoV2Json V2(TraceSummary t) => new(TraceKeys.Text(t.TraceId), TrackingKeys.Text(t.ExperimentId), t.At.Ms(), t.DurationMs is { } ms ? (long)Math.Round(ms) : null, t.State, t.Metadata.Json(), t.Tags.Json(), Wire.OrNull(t.Assessments.Select(Of)));

    public static AssessmentJson Of(Assessment a)
    {
        var error = a.ErrorCode is null ? null : new AssessmentErrorJson(a.ErrorCode, a.ErrorMessage);
        var value = a.ValueJson is null ? null : (JsonElement?)JsonSerializer.Deserialize<JsonElement>(a.ValueJson);
        var isList = value is { ValueKind: JsonValueKind.Array or JsonValueKind.Object };
        return new(AssessmentId(a.Id), a.Name, TraceKeys.Text(a.TraceId), a.SpanId, new(a.SourceType, a.SourceId), Time(a.CreatedAt), Time(a.UpdatedAt), a.Kind == Assessment.Feedback ? new(value, error) : null,
            a.Kind != Assessment.Expectation ? null : isList ? new(null, new("JSON_FORMAT", a.ValueJson)) : new(value, null), a.Rationale, error, Metadata(a.MetadataJson), a.Overrides is { } old ? AssessmentId(old) : null, a.IsValid);
    }

    public static string AssessmentId(Guid id) => AssessmentStart + id.ToString("N");

    public static Guid AssessmentId(string? text) => TrackingKeys.Required(text, "assessment_id") is var id && id.StartsWith(AssessmentStart, StringComparison.Ordinal) && Guid.TryParseExact(id[AssessmentStart.Length..], "N", out var guid)
        ? guid : throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Assessment with ID '{TrackingKeys.Shown(id)}' not found.");

    public static IReadOnlyList<KeyValue> Pairs(IReadOnlyDictionary<string, string?>? pairs) => pairs is null ? [] : [.. pairs.Select(p => new KeyValue(p.Key, p.Value ?? ""))];

    public static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    public static string? Duration(double? ms) => ms is null ? null : string.Create(CultureInfo.InvariantCulture, $"{ms / 1000:0.#########}s");

    /// <summary>RFC 3339, as protobuf writes it.</summary>
    public static DateTimeOffset? ParseTime(string? text, string name)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        if (text.Length <= 64 && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) && at >= DateTimeOffset.UnixEpoch)
            return at;
        throw LlmOpsException.Invalid($"Invalid value '{TrackingKeys.Shown(text)}' for parameter '{name}' supplied: it is a time like 2026-01-31T12:00:00.000Z, not before 1970.");
    }

    /// <summary>"1.5s" is 1500 milliseconds.</summary>
    public static double? ParseDuration(string? text, string name)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        if (text.Length <= 32 && text[^1] == 's' && double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds < 315_576_000_000)
            return seconds * 1000;
        throw LlmOpsException.Invalid($"Invalid value '{TrackingKeys.Shown(text)}' for parameter '{name}' supplied: it is a number of seconds with an s, like 1.5s.");
    }

    private static Dictionary<string, string?>? Metadata(string json) => json is "{}" ? null : JsonSerializer.Deserialize<Dictionary<string, string?>>(json);
}
