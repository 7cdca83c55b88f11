using System.Buffers;
using System.Text;
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

    // People pass keys to programs as arguments.
    private const string CommandLine = "process.command";

    // Nothing that a detector knows is shorter.
    private const int ShortestSecret = 6;

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
            if (!HasAnything(text, settings))
                return text;
            var root = JsonNode.Parse(text);
            return root is not null && Walk(root, settings) ? root.ToJsonString(Data.Json.Options) : text;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            // Text that only begins like JSON, half of a surrogate pair, the same name twice: it is hidden in as plain text.
            return Mask(text, settings);
        }
    }

    /// <summary>Reads what <see cref="Walk"/> would look at and makes no tree of it: hardly a span has anything to hide, and this is done with all of them.</summary>
    private static bool HasAnything(string json, TraceSettings settings)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(json.Length));
        try
        {
            var reader = new Utf8JsonReader(bytes.AsSpan(0, Encoding.UTF8.GetBytes(json, bytes)));
            while (reader.Read())
                if (reader.TokenType == JsonTokenType.PropertyName && IsPlain(ref reader))
                {
                    reader.Read();
                    reader.Skip();
                }
                else if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length >= ShortestSecret && reader.GetString()! is var text && Text(text, settings) != text)
                    return true;
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static bool IsPlain(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped)
            return IsPlain(reader.GetString()!);
        Span<char> name = stackalloc char[64];      // longer than any beginning that is looked for
        var part = reader.ValueSpan[..Math.Min(reader.ValueSpan.Length, name.Length)];
        for (var i = 0; i < part.Length; i++)
            name[i] = (char)part[i];                // what is not ASCII is in none of them
        return IsPlain(name[..part.Length]);
    }

    private static bool IsPlain(ReadOnlySpan<char> key)
    {
        foreach (var beginning in Plain)
            if (key.StartsWith(beginning, StringComparison.Ordinal))
                return !key.StartsWith(CommandLine, StringComparison.Ordinal);
        return false;
    }

    private static bool Walk(JsonNode node, TraceSettings settings)
    {
        var hidden = false;
        switch (node)
        {
            case JsonObject map:
                foreach (var (key, value) in map.ToList())
                    if (value is not null && !IsPlain(key))
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
        if (text.Length < ShortestSecret)
            return text;
        var (secrets, personal) = (settings.HideSecrets ? SecretDetector.Find(text) : [], settings.HidePersonalData ? PersonalDataDetector.Find(text) : []);
        return secrets.Count + personal.Count == 0 ? text : Redaction.Mask(text, [.. secrets, .. personal]);
    }
}
