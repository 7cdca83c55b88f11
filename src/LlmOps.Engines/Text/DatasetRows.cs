using System.Text.Json;

namespace LlmOps.Engines.Text;

/// <summary>A text to learn the language from.</summary>
/// <param name="Text">The text.</param>
/// <param name="Headword">What the text is about; decides the <see cref="Split"/>.</param>
public sealed record CorpusText(string Text, string Headword)
{
    /// <summary>Reads a row <c>{"text","headword"}</c>.</summary>
    /// <exception cref="InvalidDatasetException">A field is missing, empty or not text.</exception>
    public static CorpusText From(JsonlRow row) => new(row.Text("text"), row.Text("headword"));
}

/// <summary>An instruction and the answer wanted.</summary>
/// <param name="Prompt">What is asked.</param>
/// <param name="Completion">The answer.</param>
/// <param name="Headword">What it is about; decides the <see cref="Split"/>.</param>
public sealed record PromptCompletion(string Prompt, string Completion, string Headword)
{
    /// <summary>Reads a row <c>{"prompt","completion","headword"}</c>.</summary>
    /// <exception cref="InvalidDatasetException">A field is missing, empty or not text.</exception>
    public static PromptCompletion From(JsonlRow row) => new(row.Text("prompt"), row.Text("completion"), row.Text("headword"));
}

/// <summary>Two answers to one prompt, one preferred.</summary>
/// <param name="Prompt">What is asked.</param>
/// <param name="Chosen">The better answer.</param>
/// <param name="Rejected">The worse answer.</param>
/// <param name="Headword">What it is about; decides the <see cref="Split"/>.</param>
/// <param name="RejectedKind">Why it is worse, for example <c>wrong</c>, <c>rambling</c>, <c>off-style</c>.</param>
public sealed record PreferenceExample(string Prompt, string Chosen, string Rejected, string Headword, string RejectedKind)
{
    /// <summary>Reads a row <c>{"prompt","chosen","rejected","headword","rejected_kind"}</c>.</summary>
    /// <exception cref="InvalidDatasetException">A field is missing, empty or not text, or both answers are the same.</exception>
    public static PreferenceExample From(JsonlRow row)
    {
        var example = new PreferenceExample(row.Text("prompt"), row.Text("chosen"), row.Text("rejected"), row.Text("headword"), row.Text("rejected_kind"));
        if (example.Chosen == example.Rejected)
            throw new InvalidDatasetException("\"chosen\" and \"rejected\" are the same text; there is no preference to learn.", row.Line);
        return example;
    }
}

/// <summary>One object of a JSONL file.</summary>
/// <param name="Line">Line in the file, from 1.</param>
/// <param name="Row">The object.</param>
public readonly record struct JsonlRow(int Line, JsonElement Row)
{
    /// <summary>A field that must be text with something in it.</summary>
    /// <exception cref="InvalidDatasetException">It is missing, empty or not text.</exception>
    public string Text(string field)
    {
        if (!Row.TryGetProperty(field, out var value))
            throw new InvalidDatasetException($"the field \"{field}\" is missing.", Line);
        if (value.ValueKind != JsonValueKind.String)
            throw new InvalidDatasetException($"the field \"{field}\" is {value.ValueKind.ToString().ToLowerInvariant()}, not text.", Line);
        string text;
        try
        {
            text = value.GetString()!;
        }
        // Valid JSON may still escape half of a surrogate pair, which is no text.
        catch (InvalidOperationException)
        {
            throw new InvalidDatasetException($"the field \"{field}\" holds half of a surrogate pair.", Line);
        }
        return string.IsNullOrWhiteSpace(text) ? throw new InvalidDatasetException($"the field \"{field}\" is empty.", Line) : text;
    }
}
