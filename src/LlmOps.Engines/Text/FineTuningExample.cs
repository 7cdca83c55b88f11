namespace LlmOps.Engines.Text;

/// <summary>One example of supervised fine-tuning.</summary>
/// <param name="Headword">What it is about; decides the <see cref="Split"/>. May be empty.</param>
public abstract record FineTuningExample(string Headword)
{
    /// <summary>All that the example says, for comparing it with others.</summary>
    public abstract string AllText { get; }

    /// <summary>What is given; empty for a plain text.</summary>
    public abstract string PromptText { get; }

    /// <summary>A row of prompt and completion.</summary>
    public static implicit operator FineTuningExample(PromptCompletion row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return new AnswerExample(row.Prompt, row.Completion, row.Headword);
    }
}

/// <summary>A text of which every token is learnt.</summary>
public sealed record TextExample(string Text, string Headword = "") : FineTuningExample(Headword)
{
    /// <inheritdoc/>
    public override string AllText => Text;

    /// <inheritdoc/>
    public override string PromptText => "";
}

/// <summary>A question and its answer, of which the answer is learnt.</summary>
public sealed record AnswerExample(string Prompt, string Completion, string Headword = "") : FineTuningExample(Headword)
{
    /// <inheritdoc/>
    public override string AllText => Prompt + "\n" + Completion;

    /// <inheritdoc/>
    public override string PromptText => Prompt;
}

/// <summary>A conversation, of which the assistant's turns are learnt.</summary>
/// <param name="Turns">All turns.</param>
/// <param name="Given">Number of turns at the start that are not learnt from, whoever speaks in them.</param>
/// <param name="Headword">What it is about; may be empty.</param>
public sealed record ConversationExample(IReadOnlyList<ChatTurn> Turns, int Given = 0, string Headword = "") : FineTuningExample(Headword)
{
    /// <inheritdoc/>
    public override string AllText => string.Join('\n', Turns.Select(t => t.Content));

    /// <summary>Everything up to the last answer.</summary>
    public override string PromptText => string.Join('\n', Turns.Take(LastAnswer).Select(t => t.Content));

    /// <summary>Index of the last turn of the assistant; the number of turns when there is none.</summary>
    public int LastAnswer => Turns.Index().LastOrDefault(t => t.Item.Role == "assistant", (Turns.Count, null!)).Index;
}
