using System.Text.Json;

namespace LlmOps.Engines.Text;

/// <summary>What a <see cref="ChatTemplate"/> renders.</summary>
/// <param name="Messages">A list of objects with <c>role</c> and whatever else the template reads: <c>content</c> (text or parts), <c>tool_calls</c>, <c>name</c>.</param>
public sealed record ChatInput(JsonElement Messages)
{
    /// <summary>Plain turns.</summary>
    public ChatInput(IEnumerable<ChatTurn> turns) : this(JsonSerializer.SerializeToElement(turns.Select(t => new { role = t.Role, content = t.Content })))
    {
    }

    /// <summary>Descriptions of the functions that the model may call, a list; null is none.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Documents to answer from, a list; null is none.</summary>
    public JsonElement? Documents { get; init; }

    /// <summary>Whether the text ends where the assistant begins to answer.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Further variables, for example <c>enable_thinking</c>.</summary>
    public IReadOnlyDictionary<string, JsonElement> Variables { get; init; } = new Dictionary<string, JsonElement>();

    /// <summary>The time that <c>strftime_now</c> tells; part of the input so that the same input gives the same text.</summary>
    public DateTimeOffset Now { get; init; } = DateTimeOffset.UnixEpoch;
}
