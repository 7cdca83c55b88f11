using System.Globalization;
using System.Text.Json;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>Turns rows into prompts, answers and tokens, as a task's templates say. Safe for use on many threads.</summary>
public sealed class TaskText
{
    private readonly SuiteTask task;
    private readonly Tokenizer tokenizer;
    private readonly PromptFormat format;
    private readonly RowTemplate prompt, target, chosen, rejected;
    private readonly IReadOnlyList<RowTemplate> choices;
    private readonly string examples;

    public TaskText(SuiteTask task, Tokenizer tokenizer, PromptFormat format, IReadOnlyList<JsonElement> shots)
    {
        (this.task, this.tokenizer, this.format) = (task, tokenizer, format);
        (prompt, target, chosen, rejected) = (RowTemplate.Parse(task.Prompt), RowTemplate.Parse(task.Target), RowTemplate.Parse(task.Chosen), RowTemplate.Parse(task.Rejected));
        choices = [.. task.Choices.Select(RowTemplate.Parse)];
        // As lm-evaluation-harness writes them: an empty line between examples.
        examples = string.Concat(shots.Select(s => prompt.Render(s) + task.Delimiter + (choices.Count > 0 ? Choices(s)[RightChoice(s, Choices(s))] : Targets(s)[0]) + "\n\n"));
    }

    public string Prompt(JsonElement row) => examples + prompt.Render(row);

    public string Chosen(JsonElement row) => chosen.Render(row);

    public string Rejected(JsonElement row) => rejected.Render(row);

    /// <summary>The right answers: a template that is one expression may give several.</summary>
    public IReadOnlyList<string> Targets(JsonElement row) => task.Target.Length == 0 ? [] : target.Items(row) is { Count: > 0 } several ? several : [target.Render(row)];

    public IReadOnlyList<string> Choices(JsonElement row)
    {
        var found = choices.Count == 1 && choices[0].Items(row) is { } list ? list : [.. choices.Select(c => c.Render(row))];
        return found.Count > 1 ? found : throw new ArgumentException($"The row has {found.Count} choices; there is nothing to choose.");
    }

    /// <summary>The target as one of the choices, or as its index.</summary>
    public int RightChoice(JsonElement row, IReadOnlyList<string> found)
    {
        var text = target.Render(row).Trim();
        for (var i = 0; i < found.Count; i++)
            if (found[i].Trim() == text)
                return i;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index) && index >= 0 && index < found.Count ? index
            : throw new ArgumentException($"The target '{text}' is none of the {found.Count} choices, and no index of one.");
    }

    public int[] PromptTokens(string text) => task.Chat ? format.Prompt(text) : Plain(text);

    /// <summary>
    /// Prompt and answer as one sequence of which the answer is scored. In plain text the two are cut into tokens together, and spaces at the prompt's end belong to
    /// the answer, as in lm-evaluation-harness; in a chat the answer ends with the token that ends it.
    /// </summary>
    public ScoreRequest Request(string promptText, string answer)
    {
        if (task.Chat)
        {
            var head = format.Prompt(promptText);
            return new([.. head, .. format.Completion(answer)], head.Length);
        }
        var context = promptText.TrimEnd();
        var whole = WithStart(Plain(promptText + task.Delimiter + answer));
        return new(whole, context.Length == 0 ? 1 : WithStart(Plain(context)).Length);
    }

    /// <summary>A text to be predicted from its beginning, cut into windows of the model's length that share one token; each token is scored once.</summary>
    public IReadOnlyList<ScoreRequest> Windows(string text, int maxLength)
    {
        var tokens = WithStart(task.Chat ? format.Document(text) : Plain(text));
        var windows = new List<ScoreRequest>();
        for (var start = 0; start < tokens.Length - 1; start += maxLength - 1)
            windows.Add(new(tokens[start..Math.Min(tokens.Length, start + maxLength)], 1));
        return windows.Count > 0 ? windows : throw new ArgumentException("The text has no tokens, so there is nothing to predict.");
    }

    /// <summary>With the start token where the tokenizer puts one before a text, and never with an end token: the text goes on.</summary>
    private int[] Plain(string text)
    {
        var tokens = tokenizer.Encode(text);
        return tokenizer.BosId is { } bos && tokenizer.Encode("a", specials: false, addSpecial: true)[0] == bos ? [bos, .. tokens] : tokens;
    }

    /// <summary>The first token needs something to be predicted from: the start token, otherwise the end token, as lm-evaluation-harness takes it.</summary>
    private int[] WithStart(int[] tokens)
    {
        if (tokens.Length > 0 && tokens[0] == tokenizer.BosId)
            return tokens;
        return (tokenizer.BosId ?? tokenizer.EosId) is { } first ? [first, .. tokens] : tokens;
    }
}
