using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Engines.Evaluation.Detectors;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Hides secrets and personal data before a span is stored: what never got into the database cannot leak from it.</summary>
public static class RedactSpan
{
    // Names, numbers and addresses of programs look random or like a person's, and are needed to find anything.
    private static readonly string[] Plain = ["gen_ai.response.id", "gen_ai.tool.call.id", "gen_ai.agent.id", "gen_ai.data_source.id", "gen_ai.request.", "gen_ai.provider.", "gen_ai.usage.", "server.", "service.", "telemetry.", "process.", "host.", "os.", "code.", "trace_id", "span_id", "links"];

    public static Span Hide(Span span, TraceSettings settings)
    {
        if (!settings.HideSecrets && !settings.HidePersonalData)
            return span;
        var (input, output, error, user) = (Text(span.Input, settings), Text(span.Output, settings), Text(span.Error, settings), Text(span.UserName, settings));
        var attributes = span.AttributesJson.Length <= 2 ? span.AttributesJson : Json(span.AttributesJson, settings);
        // The usual span has nothing to hide, and is passed on as it is.
        return input == span.Input && output == span.Output && error == span.Error && user == span.UserName && attributes == span.AttributesJson ? span
            : span.With(input, output, error, user, attributes);
    }

    internal static string? Text(string? text, TraceSettings settings) =>
        text is null ? null : text.Length > 1 && text[0] is '[' or '{' ? Json(text, settings) : Mask(text, settings);

    /// <summary>Only the texts inside are looked at, so that what is JSON stays JSON.</summary>
    private static string Json(string text, TraceSettings settings)
    {
        try
        {
            var root = JsonNode.Parse(text);
            return root is not null && Walk(root, settings) ? root.ToJsonString(Data.Json.Options) : text;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            // Text that only begins like JSON, half of a surrogate pair, the same name twice: it is hidden in as plain text.
            return Mask(text, settings);
        }
    }

    private static bool Walk(JsonNode node, TraceSettings settings)
    {
        var hidden = false;
        switch (node)
        {
            case JsonObject map:
                foreach (var (key, value) in map.ToList())
                    if (value is not null && !Plain.Any(p => key.StartsWith(p, StringComparison.Ordinal)))
                        hidden |= value is JsonValue leaf ? Replace(leaf, settings, text => map[key] = text) : Walk(value, settings);
                break;
            case JsonArray list:
                for (var i = 0; i < list.Count; i++)
                    if (list[i] is { } value)
                    {
                        var at = i;
                        hidden |= value is JsonValue leaf ? Replace(leaf, settings, text => list[at] = text) : Walk(value, settings);
                    }
                break;
        }
        return hidden;
    }

    private static bool Replace(JsonValue value, TraceSettings settings, Action<string> put)
    {
        if (!value.TryGetValue<string>(out var text))
            return false;
        var masked = Text(text, settings)!;
        if (masked == text)
            return false;
        put(masked);
        return true;
    }

    private static string Mask(string text, TraceSettings settings)
    {
        // Nothing that a detector knows is shorter.
        if (text.Length < 6)
            return text;
        List<DetectedSpan> found = [];
        if (settings.HideSecrets)
            found.AddRange(SecretDetector.Find(text));
        if (settings.HidePersonalData)
            found.AddRange(PersonalDataDetector.Find(text));
        return found.Count == 0 ? text : Redaction.Mask(text, found);
    }
}
