using System.Text.Json;
using LlmOps.Lifecycle.Tracing;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>Inputs and outputs of spans as people read them: chat requests are stored as JSON.</summary>
public static class TraceText
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The last thing the user said, when it is a list of messages; else the text itself.</summary>
    public static string? Question(string? input)
    {
        if (input is null || !(input.StartsWith('[') || input.StartsWith('{'))) return input;
        var turns = ConversationText.Turns(input, "user");
        return turns is [] ? input : turns[^1].Text;
    }

    public static string Pretty(string text)
    {
        if (!(text.StartsWith('[') || text.StartsWith('{')) || Parse(text) is not { } document) return text;
        using (document)
            return JsonSerializer.Serialize(document.RootElement, Indented);
    }

    /// <summary>Null when it is not JSON: a list shows only the beginning of a long text.</summary>
    private static JsonDocument? Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
