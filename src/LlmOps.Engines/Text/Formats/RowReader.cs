using System.Text.Json;

namespace LlmOps.Engines.Text.Formats;

/// <summary>Reads a row of any known format as an example to train on. A row that cannot be one is refused with a reason for whoever brought it.</summary>
public static class RowReader
{
    /// <summary>An example of supervised fine-tuning.</summary>
    /// <exception cref="InvalidDatasetException">The format is unknown or holds no answer to learn, a turn is empty, or the answer is marked as undesirable.</exception>
    public static FineTuningExample FineTuning(JsonlRow row) => Translated<FineTuningExample>(row.Line, () =>
    {
        var (format, headword) = (Format(row), Optional(row, "headword") ?? "");
        EnsureNoTools(row, format);
        switch (format)
        {
            case RowFormat.Text:
                return new TextExample(row.Text("text"), headword);
            case RowFormat.Messages:
                return Conversation(Turns.Read(row.Row.GetProperty("messages"), "messages"), row.Row.TryGetProperty("given", out var given) && given.TryGetInt32(out var count) ? count : 0, headword);
            // A label that is no mark is a column like any other.
            case RowFormat.Unpaired when row.Row.GetProperty("label") is { ValueKind: JsonValueKind.False }:
                throw new ArgumentException("the answer is marked as undesirable: it is not to be learnt. Import the rows as Unpaired.");
            case RowFormat.PromptCompletion or RowFormat.Unpaired:
                if (row.Row.GetProperty("prompt").ValueKind == JsonValueKind.String)
                    return new AnswerExample(row.Text("prompt"), row.Text("completion"), headword);
                var asked = Turns.Read(row.Row.GetProperty("prompt"), "prompt");
                return Conversation([.. asked, .. Answer(row, "completion")], asked.Count, headword);
            case RowFormat.Alpaca when row.Row.TryGetProperty("output", out _):
                EnsureWanted(row);
                var before = AlpacaBefore(row);
                return before.Count == 0
                    ? new AnswerExample(AlpacaQuestion(row), row.Text("output"), headword)
                    : Conversation([.. before, new("user", AlpacaQuestion(row)), new("assistant", row.Text("output"))], 0, headword);
            case RowFormat.ShareGpt when !row.Row.TryGetProperty("chosen", out _):
                EnsureWanted(row);
                return Conversation(ShareGptTurns(row), 0, headword);
            default:
                throw new ArgumentException($"{Words(format)} hold no answer that is simply to be learnt.");
        }
    });

    /// <summary>A pair of answers.</summary>
    /// <exception cref="InvalidDatasetException">The row is no pair, an answer is empty, or both are the same.</exception>
    public static PreferenceExample Preference(JsonlRow row) => Translated(row.Line, () =>
    {
        var format = Format(row);
        EnsureNoTools(row, format);
        if (!row.Row.TryGetProperty("chosen", out var chosen) || !row.Row.TryGetProperty("rejected", out var rejected))
            throw new ArgumentException($"{Words(format)} are no pairs: 'chosen' and 'rejected' are missing.");
        var texts = chosen.ValueKind == JsonValueKind.String && rejected.ValueKind == JsonValueKind.String;
        var (prompt, better, worse) = format switch
        {
            RowFormat.Alpaca => (Turns.Transcript([.. AlpacaBefore(row), new("user", AlpacaQuestion(row))]), Said(row, "chosen"), Said(row, "rejected")),
            RowFormat.ShareGpt => (Turns.Transcript(ShareGptTurns(row)), Said(row, "chosen"), Said(row, "rejected")),
            RowFormat.Preference => (Asked(row), Said(row, "chosen"), Said(row, "rejected")),
            _ when texts => CutCommon(row.Text("chosen"), row.Text("rejected")),
            _ => CutCommon(Turns.Read(chosen, "chosen"), Turns.Read(rejected, "rejected")),
        };
        if (better == worse)
            throw new ArgumentException("'chosen' and 'rejected' are the same: there is nothing to prefer.");
        return new PreferenceExample(prompt, better, worse, Optional(row, "headword") ?? "", Optional(row, "rejected_kind") ?? "");
    });

    /// <summary>An answer with a mark.</summary>
    /// <exception cref="InvalidDatasetException">The row has no mark, or its answer is empty.</exception>
    public static UnpairedExample Unpaired(JsonlRow row) => Translated(row.Line, () =>
    {
        var (format, headword) = (Format(row), Optional(row, "headword") ?? "");
        EnsureNoTools(row, format);
        switch (format)
        {
            case RowFormat.Unpaired:
                return new UnpairedExample(Asked(row), Said(row, "completion"), Label(row, "label"), headword);
            case RowFormat.Alpaca when row.Row.TryGetProperty("kto_tag", out _):
                return new UnpairedExample(Turns.Transcript([.. AlpacaBefore(row), new("user", AlpacaQuestion(row))]), row.Text("output"), Label(row, "kto_tag"), headword);
            case RowFormat.ShareGpt when row.Row.TryGetProperty("kto_tag", out _):
                var turns = ShareGptTurns(row);
                if (turns.Count < 2 || turns[^1].Role != "assistant")
                    throw new ArgumentException("the conversation does not end with an answer that could be marked.");
                return new UnpairedExample(Turns.Transcript(turns[..^1]), turns[^1].Content, Label(row, "kto_tag"), headword);
            default:
                throw new ArgumentException($"{Words(format)} have no mark: 'label' is missing.");
        }
    });

    private static RowFormat Format(JsonlRow row) => RowFormats.Detect(row.Row)
        ?? throw new ArgumentException("the columns are of no known format: text, messages, prompt and completion, chosen and rejected, instruction and output, conversations.");

    private static string Words(RowFormat format) => format switch
    {
        RowFormat.Text => "texts", RowFormat.Messages => "conversations", RowFormat.PromptCompletion => "prompts with completions", RowFormat.Preference or RowFormat.ImplicitPreference => "pairs of answers",
        RowFormat.Unpaired => "marked answers", RowFormat.Stepwise => "answers marked step by step", RowFormat.PromptOnly => "prompts without an answer", RowFormat.Alpaca => "instructions", _ => "conversations",
    };

    private static ConversationExample Conversation(IReadOnlyList<ChatTurn> turns, int given, string headword)
    {
        ChatTurn[] answers = [.. turns.Skip(given).Where(t => t.Role == "assistant")];
        if (answers.Length == 0)
            throw new ArgumentException("the conversation has no turn of the assistant to learn from.");
        if (answers.Any(t => string.IsNullOrWhiteSpace(t.Content)))
            throw new ArgumentException("a turn of the assistant is empty.");
        return new ConversationExample(turns, given, headword);
    }

    private static string Asked(JsonlRow row) => row.Row.GetProperty("prompt") is { ValueKind: JsonValueKind.String } ? row.Text("prompt") : Turns.Transcript(Turns.Read(row.Row.GetProperty("prompt"), "prompt"));

    private static IReadOnlyList<ChatTurn> Answer(JsonlRow row, string column) => row.Row.GetProperty(column) is { ValueKind: JsonValueKind.String } ? [new("assistant", row.Text(column))] : Turns.Read(row.Row.GetProperty(column), column);

    private static string Said(JsonlRow row, string column)
    {
        var said = string.Join('\n', Answer(row, column).Select(t => t.Content));
        return string.IsNullOrWhiteSpace(said) ? throw new ArgumentException($"'{column}' is empty.") : said;
    }

    // Words stay whole: the last word of the common beginning belongs to the answers when it goes on differently.
    private static (string, string, string) CutCommon(string chosen, string rejected)
    {
        var same = chosen.AsSpan().CommonPrefixLength(rejected);
        while (same > 0 && !char.IsWhiteSpace(chosen[same - 1]))
            same--;
        var (prompt, better, worse) = (chosen[..same].Trim(), chosen[same..].Trim(), rejected[same..].Trim());
        if (prompt.Length == 0)
            throw new ArgumentException("'chosen' and 'rejected' have no common beginning that could be the prompt.");
        return better.Length == 0 || worse.Length == 0 ? throw new ArgumentException("one answer is the beginning of the other: what is preferred cannot be told.") : (prompt, better, worse);
    }

    private static (string, string, string) CutCommon(List<ChatTurn> chosen, List<ChatTurn> rejected)
    {
        var same = chosen.Zip(rejected).TakeWhile(p => p.First == p.Second).Count();
        if (same == chosen.Count && same == rejected.Count)
            throw new ArgumentException("'chosen' and 'rejected' are the same: there is nothing to prefer.");
        if (same == 0 || same == chosen.Count || same == rejected.Count)
            throw new ArgumentException("the conversations have no common beginning followed by an answer in each.");
        return (Turns.Transcript(chosen[..same]), string.Join('\n', chosen.Skip(same).Select(t => t.Content)), string.Join('\n', rejected.Skip(same).Select(t => t.Content)));
    }

    private static string AlpacaQuestion(JsonlRow row) => Optional(row, "input") is { } input ? $"{row.Text("instruction")}\n{input}" : row.Text("instruction");

    private static List<ChatTurn> AlpacaBefore(JsonlRow row)
    {
        var turns = new List<ChatTurn>();
        if (Optional(row, "system") is { } system)
            turns.Add(new("system", system));
        if (row.Row.TryGetProperty("history", out var history) && history.ValueKind == JsonValueKind.Array)
            foreach (var (i, round) in history.EnumerateArray().Index())
            {
                if (round.ValueKind != JsonValueKind.Array || round.GetArrayLength() != 2 || round.EnumerateArray().Any(s => s.ValueKind != JsonValueKind.String))
                    throw new ArgumentException($"round {i + 1} of 'history' is no question with its answer.");
                turns.Add(new("user", round[0].GetString()!));
                turns.Add(new("assistant", round[1].GetString()!));
            }
        return turns;
    }

    private static List<ChatTurn> ShareGptTurns(JsonlRow row)
    {
        var turns = Turns.Read(row.Row.GetProperty("conversations"), "conversations");
        return Optional(row, "system") is { } system ? [new("system", system), .. turns] : turns;
    }

    private static void EnsureWanted(JsonlRow row)
    {
        if (row.Row.TryGetProperty("kto_tag", out _) && !Label(row, "kto_tag"))
            throw new ArgumentException("the answer is marked as undesirable: it is not to be learnt. Import the rows as Unpaired.");
    }

    private static void EnsureNoTools(JsonlRow row, RowFormat format)
    {
        if (format is RowFormat.Messages or RowFormat.ShareGpt && row.Row.TryGetProperty("tools", out var tools) && tools is { ValueKind: JsonValueKind.Array } && tools.GetArrayLength() > 0)
            throw new ArgumentException("the conversation describes tools, which cannot be learnt from yet.");
    }

    private static bool Label(JsonlRow row, string column) => row.Row.GetProperty(column) switch
    {
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt32(out var value) && value is 0 or 1 => number.GetInt32() == 1,
        var other => throw new ArgumentException($"'{column}' is {other.GetRawText()}, true or false is expected."),
    };

    private static string? Optional(JsonlRow row, string column) =>
        row.Row.TryGetProperty(column, out var value) && value.ValueKind == JsonValueKind.String && !string.IsNullOrWhiteSpace(value.GetString()) ? value.GetString() : null;

    private static T Translated<T>(int line, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ArgumentException e)
        {
            throw new InvalidDatasetException(e.Message, line);
        }
        // Valid JSON may still escape half of a surrogate pair, which is no text.
        catch (InvalidOperationException)
        {
            throw new InvalidDatasetException("a text holds half of a surrogate pair.", line);
        }
    }
}
