using System.Text.Json;

namespace LlmOps.Lifecycle.Tracing;

public sealed record ConversationTurn(string Role, string Text);

/// <summary>Prompts and answers of spans as turns: plain text, messages with a content, and messages with parts, as the conventions of different years write them.</summary>
public static class ConversationText
{
    /// <summary>The turns, oldest first. A text that is no list of messages is one turn of the given role.</summary>
    public static IReadOnlyList<ConversationTurn> Turns(string? text, string role)
    {
        if (string.IsNullOrWhiteSpace(text))
            return [];
        if (text.TrimStart() is ['[' or '{', ..])
            try
            {
                using var document = JsonDocument.Parse(text);
                var root = document.RootElement;
                if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("messages", out var inner))
                    root = inner;
                var messages = root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray()] : new List<JsonElement> { root };
                if (messages.Count > 0 && messages.All(IsMessage))
                    return [.. messages.Select(m => new ConversationTurn(Role(m, role), Content(m))).Where(t => t.Text.Length > 0)];
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // A text that only begins like JSON is a text.
            }
        return [new(role, text)];
    }

    private static bool IsMessage(JsonElement message) => message.ValueKind == JsonValueKind.Object
        && (message.TryGetProperty("content", out _) || message.TryGetProperty("parts", out _) || message.TryGetProperty("message", out _));

    private static string Role(JsonElement message, string otherwise) => message.TryGetProperty("role", out var role) && role.ValueKind == JsonValueKind.String ? role.GetString()! : otherwise;

    private static string Content(JsonElement message)
    {
        if (message.TryGetProperty("message", out var inner) && inner.ValueKind == JsonValueKind.Object)
            return Content(inner);
        return message.TryGetProperty("content", out var content) ? Text(content) : message.TryGetProperty("parts", out var parts) ? Text(parts) : "";
    }

    /// <summary>What a person said or was told; pictures and calls of tools have no text.</summary>
    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Array => string.Join("\n", value.EnumerateArray().Select(Text).Where(t => t.Length > 0)),
        JsonValueKind.Object when !value.TryGetProperty("type", out var type) || type.ValueEquals("text") =>
            value.TryGetProperty("content", out var content) ? Text(content) : value.TryGetProperty("text", out var text) ? Text(text) : "",
        _ => "",
    };
}
