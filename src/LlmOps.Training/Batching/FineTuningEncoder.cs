using LlmOps.Engines.Text;

namespace LlmOps.Training.Batching;

/// <summary>Examples of fine-tuning as tokens, with the labels that their kind asks for.</summary>
/// <param name="Format">How the model wants its prompts.</param>
/// <param name="Limit">Longest sequence in tokens; what is longer is cut.</param>
/// <param name="AssistantOnly">Whether only the assistant's words of a conversation are learnt; else all of it is.</param>
internal sealed record FineTuningEncoder(PromptFormat Format, int Limit, bool AssistantOnly)
{
    /// <summary>Sequences of an example, one as a rule; none when nothing of it that is learnt fits into the limit.</summary>
    /// <param name="example">The example.</param>
    /// <param name="row">Number of the example, from 1, for messages.</param>
    /// <param name="cut">Whether a sequence was longer than the limit.</param>
    /// <exception cref="InvalidDatasetException">The example holds nothing to learn, or the model's template refuses it.</exception>
    public IReadOnlyList<TokenSequence> Encode(FineTuningExample example, int row, out bool cut)
    {
        try
        {
            IReadOnlyList<LabelledTokens> labelled = Labelled(example, row);
            cut = labelled.Any(l => l.Ids.Length > Limit);
            return [.. labelled.Select(Cut).Where(s => s.Scored > 0)];
        }
        catch (ArgumentException e)
        {
            throw new InvalidDatasetException(e.Message, row);
        }
    }

    /// <inheritdoc cref="Encode(FineTuningExample, int, out bool)"/>
    public IReadOnlyList<TokenSequence> Encode(FineTuningExample example, int row) => Encode(example, row, out _);

    /// <summary>What an example is asked with, up to the place where the model answers, and the end of it as a title; no tokens where they fill the limit.</summary>
    public (string Title, int[] Tokens) Prompt(FineTuningExample example)
    {
        int[] tokens = example switch
        {
            AnswerExample answer => Format.Prompt(answer.Prompt),
            ConversationExample { LastAnswer: > 0 } talk => Format.Chat([.. talk.Turns.Take(talk.LastAnswer)]),
            TextExample text => Format.Document(text.Text) is var whole && whole.Length > 2 ? whole[..(whole.Length / 2)] : [],
            _ => [],
        };
        return (FineTuningCheck.Beginning(example is TextExample plain ? plain.Text : example.PromptText), tokens.Length < Limit ? tokens : []);
    }

    private IReadOnlyList<LabelledTokens> Labelled(FineTuningExample example, int row)
    {
        switch (example)
        {
            case TextExample text:
                if (string.IsNullOrWhiteSpace(text.Text)) throw new InvalidDatasetException("the text is empty", row);
                int[] ids = Format.Document(text.Text);
                return [new LabelledTokens(ids, [.. Enumerable.Repeat(true, ids.Length)])];
            case AnswerExample answer:
                if (string.IsNullOrWhiteSpace(answer.Completion)) throw new InvalidDatasetException("the completion is empty", row);
                return [Format.Answer(answer.Prompt, answer.Completion)];
            case ConversationExample conversation:
                if (conversation.Turns.Skip(conversation.Given).Any(t => t.Role == "assistant" && string.IsNullOrWhiteSpace(t.Content)))
                    throw new InvalidDatasetException("a turn of the assistant is empty", row);
                IReadOnlyList<LabelledTokens> turns = Format.Conversation(conversation.Turns, conversation.Given);
                if (AssistantOnly || conversation.Given > 0) return turns;
                // A template that rewrites earlier answers gave one example per answer; the last holds the whole conversation.
                return [turns[^1] with { Labelled = [.. Enumerable.Repeat(true, turns[^1].Ids.Length)] }];
            default:
                throw new ArgumentException($"{example.GetType().Name} is no kind of example that can be learnt.", nameof(example));
        }
    }

    private TokenSequence Cut(LabelledTokens tokens)
    {
        int length = Math.Min(tokens.Ids.Length, Limit), first = Array.IndexOf(tokens.Labelled, true, Math.Min(1, length));
        if (first < 0) first = tokens.Ids.Length;
        bool all = !tokens.Labelled.AsSpan(Math.Min(first, length), Math.Max(0, length - first)).Contains(false);
        return new TokenSequence(tokens.Ids[..length], Math.Max(1, first)) { Labelled = all ? null : tokens.Labelled[..length] };
    }
}
