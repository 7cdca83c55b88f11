using System.Text.Json;
using System.Text.RegularExpressions;
using LlmOps.Engines.Evaluation.Detectors;

namespace LlmOps.Lifecycle.Tracing.Drift;

/// <summary>What told that an answer refuses.</summary>
public enum RefusalSource { Signal, Phrase, English }

/// <summary>
/// Says whether an answer refuses, by the first of three that does: what the deployment itself says (the reason that it ended, or a refusal field), the phrases of its policy, the English phrases that are always known. Words are looked for
/// only at the beginning of an answer: later ones are more often about a refusal than one.
/// </summary>
public static partial class RefusalRule
{
    private const int Beginning = 240, Deepest = 8;

    /// <summary>Attributes that say why an answer ended: of the conventions, of older ones, and of this server's own steps.</summary>
    private static readonly string[] Reasons = ["gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.response.finish_reason", "finish_reason", "finish_reasons", "stop_reason", "finishReason", "finish"];

    /// <summary>Reasons by which providers say that an answer was withheld, without regard to case.</summary>
    private static readonly HashSet<string> Withheld = new(StringComparer.OrdinalIgnoreCase) { "content_filter", "content_filtered", "refusal", "safety", "prohibited_content", "blocklist", "guardrail_intervened" };

    /// <param name="output">Of the trace: a text, or messages in any of the shapes of the conventions.</param>
    /// <param name="signals">Attributes and answers of the spans of the trace, JSON; what is no JSON says nothing.</param>
    /// <param name="phrases">The deployment's own.</param>
    public static RefusalSource? Find(string? output, IEnumerable<string?> signals, IReadOnlyList<string> phrases)
    {
        if (signals.Append(output).Any(IsSignal))
            return RefusalSource.Signal;
        if (string.IsNullOrWhiteSpace(output))
            return null;
        var answer = string.Join("\n", ConversationText.Turns(output, "assistant").Select(t => t.Text));
        var beginning = Plain(answer.Length <= Beginning ? answer : answer[..Beginning]);
        if (phrases.Any(p => beginning.Contains(Plain(p), StringComparison.OrdinalIgnoreCase)))
            return RefusalSource.Phrase;
        return RefusalDetector.Find(answer) is null ? null : RefusalSource.English;
    }

    /// <summary>Whether this JSON says that an answer was withheld: attributes of a span, a message, or the whole answer in OpenAI's shape.</summary>
    public static bool IsSignal(string? json)
    {
        if (json is null || json.AsSpan().TrimStart() is not ['{' or '[', ..])
            return false;
        try
        {
            using var document = JsonDocument.Parse(json);
            return Says(document.RootElement, 0);
        }
        catch (JsonException)
        {
            // A text that only begins like JSON is a text.
            return false;
        }
    }

    private static bool Says(JsonElement value, int depth) => depth < Deepest && value.ValueKind switch
    {
        JsonValueKind.Array => value.EnumerateArray().Any(v => Says(v, depth + 1)),
        JsonValueKind.Object => value.EnumerateObject().Any(p => Says(p, depth + 1)),
        _ => false,
    };

    // Only where answers are: what a tool returned, or a document says of refusals, is no refusal.
    private static bool Says(JsonProperty property, int depth) => property.Name switch
    {
        "refusal" => property.Value.ValueKind == JsonValueKind.String && property.Value.GetString()!.Trim().Length > 0,
        "choices" or "message" or "messages" or "content" or "parts" or "output" or "candidates" => Says(property.Value, depth),
        "type" => property.Value.ValueKind == JsonValueKind.String && property.Value.ValueEquals("refusal"),
        _ when Reasons.Contains(property.Name) => IsWithheld(property.Value),
        _ => false,
    };

    private static bool IsWithheld(JsonElement reason) => reason.ValueKind switch
    {
        JsonValueKind.String => reason.GetString()!.Trim() is ['[', ..] list ? IsListed(list) : Withheld.Contains(reason.GetString()!.Trim()),
        JsonValueKind.Array => reason.EnumerateArray().Any(IsWithheld),
        _ => false,
    };

    /// <summary>Some instrumentation writes the list as a text.</summary>
    private static bool IsListed(string list)
    {
        try
        {
            using var document = JsonDocument.Parse(list);
            return document.RootElement.EnumerateArray().Any(r => r.ValueKind == JsonValueKind.String && Withheld.Contains(r.GetString()!));
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Apostrophes of one kind and single spaces, so that typography decides nothing.</summary>
    private static string Plain(string text) => Spaces().Replace(text.Replace('’', '\'').Replace('\u02BC', '\''), " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
