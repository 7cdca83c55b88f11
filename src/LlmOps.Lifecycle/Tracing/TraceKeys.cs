using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Ids of traces as the MLflow API writes them: "tr-" and the 32 digits of OpenTelemetry. Both forms are understood.</summary>
public static class TraceKeys
{
    public const string Start = "tr-";

    public static string Text(string traceId) => Start + traceId;

    /// <summary>The 32 digits, or null for a text that is the id of no trace.</summary>
    public static string? Find(string? text)
    {
        var id = text is not null && text.StartsWith(Start, StringComparison.Ordinal) ? text[Start.Length..] : text;
        return id is { Length: 32 } && id.All(char.IsAsciiHexDigit) && id.Any(c => c != '0') ? id.ToLowerInvariant() : null;
    }

    /// <summary>Of a trace that should be there.</summary>
    public static string Known(string? text, string name = "trace_id") => Find(TrackingKeys.Required(text, name)) ?? throw NotFound(text!);

    /// <summary>Of a trace that is about to begin.</summary>
    public static string New(string? text) => Find(TrackingKeys.Required(text, "trace_id"))
        ?? throw LlmOpsException.Invalid($"Invalid value '{TrackingKeys.Shown(text!)}' for parameter 'trace_id' supplied: it is 'tr-' with the 32 hexadecimal digits of OpenTelemetry's trace id.");

    public static LlmOpsException NotFound(string text) => new(ErrorCode.ResourceDoesNotExist, $"Trace with ID '{TrackingKeys.Shown(Find(text) is { } id ? Text(id) : text)}' not found.");
}
