using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Feedback on traces, and what was expected of them.</summary>
internal static class AssessmentsApi
{
    private const string Path = "/mlflow/traces/{trace_id}/assessments";
    private static readonly string[] Parts = ["assessment_name", "feedback", "expectation", "rationale", "metadata", "error", "source"];

    private sealed record Create(AssessmentJson? Assessment);

    private sealed record Change(AssessmentJson? Assessment, JsonElement? UpdateMask);

    private sealed record Nothing;

    private sealed record Found(AssessmentJson Assessment);

    public static void MapAssessments(this MlflowRoutes routes)
    {
        routes.Write<Create>("POST", Path, Permission.Chat, async (r, c) => new Found(TraceWire.Of(await c.Get<AssessTrace>().CreateAsync(New(Required(r.Assessment), TracesApi.Id(c)), c.Actor, c.Aborted))), "3.0");
        routes.Read<Nothing>("GET", Path + "/{assessment_id}", async (_, c) => new Found(TraceWire.Of(await c.Get<AssessTrace>().GetAsync(TracesApi.Id(c), Id(c), c.Aborted))), "3.0");
        routes.Write<Change>("PATCH", Path + "/{assessment_id}", Permission.Chat, async (r, c) => new Found(TraceWire.Of(await c.Get<AssessTrace>().ChangeAsync(TracesApi.Id(c), Id(c), Changed(Required(r.Assessment), r.UpdateMask), c.Actor, c.Aborted))), "3.0");
        routes.Write<Nothing>("DELETE", Path + "/{assessment_id}", Permission.Chat, (_, c) => ExperimentsApi.Done(c.Get<AssessTrace>().DeleteAsync(TracesApi.Id(c), Id(c), c.Actor, c.Aborted)), "3.0");
    }

    internal static NewAssessment New(AssessmentJson a, string traceId)
    {
        if (a.Feedback is null == a.Expectation is null)
            throw LlmOpsException.Invalid("Exactly one of `expectation` or `feedback` should be specified.");
        var error = a.Feedback?.Error ?? a.Error;
        return new(traceId, string.IsNullOrEmpty(a.SpanId) ? null : a.SpanId, a.AssessmentName, a.Feedback is null ? Assessment.Expectation : Assessment.Feedback, Value(a), error is null ? null : TrackingKeys.Required(error.ErrorCode, "error_code"), error?.ErrorMessage,
            a.Source?.SourceType, a.Source?.SourceId, NullIfEmpty(a.Rationale), Metadata(a.Metadata) ?? new Dictionary<string, string>(), string.IsNullOrEmpty(a.Overrides) ? null : TraceWire.AssessmentId(a.Overrides));
    }

    /// <summary>Only what the mask names is changed; without a mask, whatever is there.</summary>
    private static AssessmentChange Changed(AssessmentJson a, JsonElement? mask)
    {
        var named = Names(mask);
        bool Has(string part) => named is null || named.Contains(part) || named.Any(n => n.StartsWith(part + ".", StringComparison.Ordinal));
        var error = Has("feedback") ? a.Feedback?.Error ?? a.Error : Has("error") ? a.Error : null;
        return new(Has("assessment_name") ? a.AssessmentName : null, Has("feedback") || Has("expectation") ? Value(a) : null, error?.ErrorCode, error?.ErrorMessage, Has("source") ? a.Source?.SourceType : null, Has("source") ? a.Source?.SourceId : null,
            Has("rationale") ? a.Rationale : null, Has("metadata") ? Metadata(a.Metadata) : null);
    }

    /// <summary>"a,b" as protobuf writes it, or {"paths":["a","b"]}; names in either case.</summary>
    private static IReadOnlyList<string>? Names(JsonElement? mask)
    {
        IEnumerable<string?> paths = mask switch
        {
            null or { ValueKind: JsonValueKind.Null } => [],
            { ValueKind: JsonValueKind.String } text => text.GetString()!.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
            { ValueKind: JsonValueKind.Object } map when map.TryGetProperty("paths", out var list) && list.ValueKind == JsonValueKind.Array => list.EnumerateArray().Select(p => p.ValueKind == JsonValueKind.String ? p.GetString() : null),
            _ => throw LlmOpsException.Invalid("Invalid value for parameter 'update_mask' supplied: it is a text with the names of the parts, or an object with their list as 'paths'."),
        };
        List<string> names = [.. paths.Select(p => JsonNamingPolicy.SnakeCaseLower.ConvertName(p ?? ""))];
        if (names.FirstOrDefault(n => !Parts.Contains(n.Split('.')[0])) is { } unknown)
            throw LlmOpsException.Invalid($"Invalid value '{TrackingKeys.Shown(unknown)}' for parameter 'update_mask' supplied: an assessment's {string.Join(", ", Parts)} can be changed.");
        return names.Count == 0 ? null : names;
    }

    private static AssessmentValue? Value(AssessmentJson a)
    {
        if (a.Expectation?.SerializedValue is { } serialized)
            return AssessmentValue.Parse(MlflowAttributes.Parsed(TrackingKeys.Required(serialized.Value, "serialized_value.value")) ?? throw LlmOpsException.Invalid("Invalid value for parameter 'serialized_value.value' supplied: it is no JSON."));
        return (a.Feedback?.Value ?? a.Expectation?.Value) is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } value ? AssessmentValue.Parse(value) : null;
    }

    private static Dictionary<string, string>? Metadata(IReadOnlyDictionary<string, string?>? metadata) => metadata?.ToDictionary(p => p.Key, p => p.Value ?? "");

    private static AssessmentJson Required(AssessmentJson? assessment) => assessment ?? throw LlmOpsException.Invalid("Missing value for required parameter 'assessment'. See the API docs for more information about request parameters.");

    private static Guid Id(MlflowCall call) => TraceWire.AssessmentId(call.Http.GetRouteValue("assessment_id") as string);

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
