using System.Text.Json;

namespace LlmOps.Engines.Text.Formats;

/// <summary>Turns of a conversation in a row: <c>role</c> and <c>content</c>, or <c>from</c> and <c>value</c>. Messages say what is wrong in which turn.</summary>
public static class Turns
{
    /// <summary>The turns of a column: a list of them, or one.</summary>
    /// <exception cref="ArgumentException">It is no list of turns, or a turn has no text.</exception>
    public static List<ChatTurn> Read(JsonElement value, string column)
    {
        if (value.ValueKind == JsonValueKind.Object)
            return [Turn(value, column, 0)];
        if (value.ValueKind != JsonValueKind.Array)
            throw new ArgumentException($"'{column}' is {Named(value.ValueKind)}, a list of turns is expected.");
        return [.. value.EnumerateArray().Select((turn, i) => Turn(turn, column, i))];
    }

    /// <summary>A prompt of several turns as one text, for trainers that ask with a text: the question alone, or a transcript that names who spoke.</summary>
    public static string Transcript(IReadOnlyList<ChatTurn> turns)
    {
        var system = string.Join("\n\n", turns.TakeWhile(t => t.Role is "system" or "developer").Select(t => t.Content));
        ChatTurn[] talk = [.. turns.SkipWhile(t => t.Role is "system" or "developer")];
        var asked = talk.Length == 1 ? talk[0].Content : string.Join('\n', talk.Select(t => $"{t.Role}: {t.Content}"));
        return system.Length == 0 ? asked : asked.Length == 0 ? system : $"{system}\n\n{asked}";
    }

    /// <summary>Null when the turns are a conversation, else what of their order is wrong.</summary>
    public static string? Disorder(IReadOnlyList<ChatTurn> turns)
    {
        ChatTurn[] talk = [.. turns.SkipWhile(t => t.Role is "system" or "developer")];
        if (talk.Length == 0 || talk[0].Role != "user")
            return $"the conversation begins with {(talk.Length == 0 ? "nothing" : talk[0].Role)}, not with user";
        for (var i = 1; i < talk.Length; i++)
            if (talk[i].Role == talk[i - 1].Role && talk[i].Role != "tool")
                return $"two turns of {talk[i].Role} follow each other";
            else if (talk[i].Role is not ("user" or "assistant" or "tool"))
                return $"a turn of {talk[i].Role} stands inside of the conversation";
        return null;
    }

    private static ChatTurn Turn(JsonElement turn, string column, int index)
    {
        if (turn.ValueKind != JsonValueKind.Object)
            throw new ArgumentException($"turn {index + 1} of '{column}' is {Named(turn.ValueKind)}, an object with a role is expected.");
        var (role, content) = turn.TryGetProperty("role", out var named) ? (named, "content") : turn.TryGetProperty("from", out named) ? (named, "value")
            : throw new ArgumentException($"turn {index + 1} of '{column}' has neither 'role' nor 'from'.");
        if (role.ValueKind != JsonValueKind.String)
            throw new ArgumentException($"the role of turn {index + 1} of '{column}' is no text.");
        if (!turn.TryGetProperty(content, out var said) || said.ValueKind == JsonValueKind.Null)
            throw new ArgumentException(turn.TryGetProperty("tool_calls", out _)
                ? $"turn {index + 1} of '{column}' calls a tool, which cannot be learnt from yet."
                : $"turn {index + 1} of '{column}' has no '{content}'.");
        return new ChatTurn(Role(role.GetString()!), Content(said, column, index));
    }

    // The names that other tools give to who speaks.
    private static string Role(string name) => name.ToLowerInvariant() switch
    {
        "human" or "user" or "prompter" => "user",
        "gpt" or "assistant" or "model" or "bot" or "chatgpt" or "bard" or "function_call" => "assistant",
        "observation" or "tool" or "function" or "ipython" => "tool",
        var other => other,
    };

    private static string Content(JsonElement said, string column, int index)
    {
        if (said.ValueKind == JsonValueKind.String)
            return said.GetString()!;
        if (said.ValueKind == JsonValueKind.Array && said.EnumerateArray().All(p => p.ValueKind == JsonValueKind.Object && p.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String))
            return string.Concat(said.EnumerateArray().Select(p => p.GetProperty("text").GetString()));
        throw new ArgumentException($"turn {index + 1} of '{column}' holds {(said.ValueKind == JsonValueKind.Array ? "parts that are no text" : Named(said.ValueKind))}; text is expected.");
    }

    private static string Named(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Array => "a list", JsonValueKind.Object => "an object", JsonValueKind.String => "text", JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false", _ => "null",
    };
}
