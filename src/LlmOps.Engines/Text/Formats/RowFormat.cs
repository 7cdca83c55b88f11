using System.Text.Json;

namespace LlmOps.Engines.Text.Formats;

/// <summary>The shapes in which data sets for language models come. Each is known by its columns; texts may be plain or conversations.</summary>
public enum RowFormat
{
    /// <summary><c>text</c>.</summary>
    Text,
    /// <summary><c>messages</c>: a conversation of roles and contents.</summary>
    Messages,
    /// <summary><c>prompt</c>, <c>completion</c>.</summary>
    PromptCompletion,
    /// <summary><c>prompt</c>, <c>chosen</c>, <c>rejected</c>.</summary>
    Preference,
    /// <summary><c>chosen</c>, <c>rejected</c>: the prompt is how both begin.</summary>
    ImplicitPreference,
    /// <summary><c>prompt</c>, <c>completion</c>, <c>label</c>: an answer marked as desirable or not.</summary>
    Unpaired,
    /// <summary><c>instruction</c>, <c>input</c>, <c>output</c>, with <c>system</c> and <c>history</c>, or with <c>chosen</c> and <c>rejected</c>, or with <c>kto_tag</c>.</summary>
    Alpaca,
    /// <summary><c>conversations</c> of <c>from</c> and <c>value</c>, or with <c>chosen</c> and <c>rejected</c>, or with <c>kto_tag</c>.</summary>
    ShareGpt,
    /// <summary><c>prompt</c>, <c>completions</c>, <c>labels</c>: an answer marked step by step.</summary>
    Stepwise,
    /// <summary><c>prompt</c> alone.</summary>
    PromptOnly,
}

/// <summary>Tells formats by columns.</summary>
public static class RowFormats
{
    /// <summary>The format of a row, or null when its columns are of none. A column that is null counts as missing.</summary>
    public static RowFormat? Detect(JsonElement row)
    {
        if (row.ValueKind != JsonValueKind.Object)
            return null;
        bool Has(params ReadOnlySpan<string> names)
        {
            foreach (var name in names)
                if (!row.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
                    return false;
            return true;
        }
        var pair = Has("chosen", "rejected");
        return Has("conversations") ? RowFormat.ShareGpt
            : Has("instruction") && (pair || Has("output")) ? RowFormat.Alpaca
            : pair ? Has("prompt") ? RowFormat.Preference : RowFormat.ImplicitPreference
            : Has("prompt", "completions", "labels") ? RowFormat.Stepwise
            // A conversation that an import kept beside the texts it made of it says more than they do.
            : Has("messages") ? RowFormat.Messages
            : Has("prompt", "completion") ? Has("label") ? RowFormat.Unpaired : RowFormat.PromptCompletion
            : Has("text") ? RowFormat.Text
            : Has("prompt") ? RowFormat.PromptOnly
            : null;
    }
}
