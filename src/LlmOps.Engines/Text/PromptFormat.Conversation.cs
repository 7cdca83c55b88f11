namespace LlmOps.Engines.Text;

public sealed partial class PromptFormat
{
    /// <summary>
    /// A conversation to learn from: what the assistant says is labelled, with the token that ends its turn, and nothing that the template writes around it.
    /// </summary>
    /// <remarks>
    /// A template that marks the assistant's words (<c>generation</c> blocks) is believed. Otherwise the conversation is rendered turn by turn, and what a turn adds after
    /// the place where the model is asked is the assistant's. Some templates write an earlier answer differently once another turn follows (they leave out its reasoning);
    /// then each answer becomes an example of its own, as the model sees it when it answers.
    /// </remarks>
    /// <param name="turns">At least one of the assistant's, after <paramref name="given"/>; what follows the last of them teaches nothing.</param>
    /// <param name="given">Number of turns that are not learnt from.</param>
    /// <exception cref="ArgumentException">There is no answer to learn from, or the template refuses the conversation; the message is its own.</exception>
    /// <exception cref="UnsupportedModelException">The model has no chat template and the conversation is more than a question and its answer, or the assistant's words cannot be told apart.</exception>
    public IReadOnlyList<LabelledTokens> Conversation(IReadOnlyList<ChatTurn> turns, int given = 0)
    {
        ArgumentNullException.ThrowIfNull(turns);
        if (!turns.Skip(given).Any(t => t.Role == "assistant"))
            throw new ArgumentException("The conversation has no turn of the assistant to learn from.", nameof(turns));
        if (own)
            return [PromptTemplate.Labelled(tokenizer, turns, given)];
        if (template is null)
        {
            if (turns is not [{ Role: "user" } question, { Role: "assistant" } answer])
                throw new UnsupportedModelException("This model has no chat template: it learns from one question and its answer, not from a longer conversation.");
            return [Answer(question.Content, answer.Content)];
        }
        var whole = Render(turns, asks: false);
        if (given == 0 && whole.Assistant is { Count: > 0 } marked)
            return [Labelled(whole, [.. marked.Select(r => WithEnd(whole, r))])];
        var answers = turns.Index().Where(t => t.Index >= given && t.Item.Role == "assistant").Select(t => AnswerOf(turns, t.Index)).ToList();
        return answers.All(a => whole.Text.StartsWith(a.Rendered.Text, StringComparison.Ordinal))
            ? [Labelled(whole, [.. answers.Select(a => a.Range)])]
            : [.. answers.Select(a => Labelled(a.Rendered, [a.Range]))];
    }

    /// <summary>A question with its answer to learn from: <see cref="Prompt"/> and <see cref="Completion"/>, of which only the second is labelled.</summary>
    public LabelledTokens Answer(string prompt, string completion)
    {
        int[] asked = Prompt(prompt), said = Completion(completion);
        return new LabelledTokens([.. asked, .. said], [.. Enumerable.Repeat(false, asked.Length), .. Enumerable.Repeat(true, said.Length)]);
    }

    /// <summary>The conversation up to one answer, and where in it the answer stands.</summary>
    private (RenderedChat Rendered, TextRange Range) AnswerOf(IReadOnlyList<ChatTurn> turns, int index)
    {
        var rendered = Render([.. turns.Take(index + 1)], asks: false);
        if (index == 0)
            throw new ArgumentException("The conversation begins with the assistant; somebody has to ask first.");
        ChatTurn[] before = [.. turns.Take(index)];
        var asked = Render(before, asks: true).Text;
        int start;
        if (rendered.Text.StartsWith(asked, StringComparison.Ordinal))
            start = asked.Length;
        // The template asks with more than it writes into the past (an opened block of reasoning): the answer begins where its own text does.
        else if (Render(before, asks: false).Text is var past && rendered.Text.StartsWith(past, StringComparison.Ordinal) && rendered.Content.FirstOrDefault(c => c.Start >= past.Length) is { Length: > 0 } content)
            start = content.Start;
        else
            throw new UnsupportedModelException("The chat template writes the turns before an answer differently once the answer is there, so what the assistant says cannot be told apart. Train on prompts and completions, or with a template that marks the assistant's words ({% generation %}).");
        // What follows the token that ends the turn (a line break) belongs to the next one; a template without such a token ends the turn by text.
        var ends = rendered.Pieces(tokenizer.ControlTokens).Where(p => p.IsControl && p.Range.Start >= start && string.IsNullOrWhiteSpace(rendered.Text[p.Range.End..])).ToList();
        return (rendered, new TextRange(start, (ends.Count > 0 ? ends[0].Range.End : rendered.Text.Length) - start));
    }

    // Templates often close the block of the assistant's words before the token that ends the turn; a model that never learns it never stops.
    private TextRange WithEnd(RenderedChat whole, TextRange range)
    {
        var next = whole.Pieces(tokenizer.ControlTokens).FirstOrDefault(p => p.IsControl && p.Range.Start == range.End);
        return next.IsControl && tokenizer.TokenId(next.Text) == tokenizer.EosId ? new TextRange(range.Start, next.Range.End - range.Start) : range;
    }

    private LabelledTokens Labelled(RenderedChat chat, IReadOnlyList<TextRange> ranges)
    {
        var (ids, labelled) = chat.Encode(tokenizer, ranges);
        return new LabelledTokens(ids, labelled);
    }

    private RenderedChat Render(IReadOnlyList<ChatTurn> turns, bool asks) => template!.Render(new ChatInput(turns) { AddGenerationPrompt = asks });
}
