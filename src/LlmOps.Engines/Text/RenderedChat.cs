using LlmOps.Engines.Text.Templates;

namespace LlmOps.Engines.Text;

/// <summary>A stretch of a text, in UTF-16 units.</summary>
public readonly record struct TextRange(int Start, int Length)
{
    /// <summary>The unit after the last.</summary>
    public int End => Start + Length;
}

/// <summary>A piece of a rendered conversation.</summary>
/// <param name="Range">Where it stands.</param>
/// <param name="Text">Its text.</param>
/// <param name="IsControl">Whether it is a control token written by the template; all else is plain text, whatever it looks like.</param>
public readonly record struct ChatPiece(TextRange Range, string Text, bool IsControl);

/// <summary>A conversation as text, with the knowledge of where its parts came from.</summary>
/// <remarks>
/// Texts of messages, tools, documents and variables are content, through concatenation, cutting, replacing and JSON; a text computed in another way from
/// content is content as a whole. Only the names of usual roles (system, user, assistant, tool…) and the tokens of the tokenizer's configuration are not.
/// </remarks>
public sealed class RenderedChat
{
    private readonly MarkedText text;

    internal RenderedChat(MarkedText text) => this.text = text;

    /// <summary>The whole text.</summary>
    public string Text => text.Text;

    /// <summary>What came from the input rather than from the template, in order.</summary>
    public IReadOnlyList<TextRange> Content => Ranges(Marks.Content);

    /// <summary>What <c>generation</c> blocks wrote: the assistant's words, to learn from. Empty when the template has no such blocks.</summary>
    public IReadOnlyList<TextRange> Assistant => Ranges(Marks.Assistant);

    /// <summary>
    /// Cuts the text at the control tokens that the template itself wrote. One that is typed into a message, even in part, stays plain text: to be encoded
    /// without looking for control tokens.
    /// </summary>
    /// <param name="controlTokens">The tokenizer's control tokens; where several begin, the longest is taken.</param>
    public IReadOnlyList<ChatPiece> Pieces(IEnumerable<string> controlTokens)
    {
        var byFirst = controlTokens.Where(t => t.Length > 0).Distinct(StringComparer.Ordinal).GroupBy(t => t[0]).ToDictionary(g => g.Key, g => g.OrderByDescending(t => t.Length).ToArray());
        var pieces = new List<ChatPiece>();
        var plain = 0;
        var written = Ranges(Marks.Content, wanted: false);
        foreach (var range in written)
            for (var at = range.Start; at < range.End;)
            {
                var token = byFirst.TryGetValue(Text[at], out var some)
                    ? Array.Find(some, t => at + t.Length <= range.End && string.CompareOrdinal(Text, at, t, 0, t.Length) == 0)
                    : null;
                if (token is null)
                {
                    at++;
                    continue;
                }
                AddPlain(plain, at);
                pieces.Add(new ChatPiece(new TextRange(at, token.Length), token, true));
                plain = at += token.Length;
            }
        AddPlain(plain, Text.Length);
        return pieces;

        void AddPlain(int from, int to)
        {
            if (to > from)
                pieces.Add(new ChatPiece(new TextRange(from, to - from), Text[from..to], false));
        }
    }

    /// <summary>The ids of the text, and for each whether the assistant says it. Control tokens are those that the template wrote.</summary>
    /// <remarks>
    /// A text is also cut where the assistant's words begin and end, as it is when a model is asked: the prompt is encoded before the answer is there.
    /// </remarks>
    /// <exception cref="ArgumentException">A character has no token, and the tokenizer has none for unknown ones.</exception>
    public (int[] Ids, bool[] Assistant) Encode(Tokenizer tokenizer) => Encode(tokenizer, Assistant);

    /// <summary>The same for stretches of the text that the caller names, in order and apart.</summary>
    /// <exception cref="ArgumentException">A character has no token, and the tokenizer has none for unknown ones.</exception>
    public (int[] Ids, bool[] Assistant) Encode(Tokenizer tokenizer, IReadOnlyList<TextRange> assistant)
    {
        var (ids, said) = (new List<int>(), new List<bool>());
        foreach (var piece in Pieces(tokenizer.ControlTokens))
        {
            var at = piece.Range.Start;
            while (at < piece.Range.End)
            {
                var start = at;
                var inside = assistant.Any(r => r.Start <= start && start < r.End);
                at = piece.IsControl ? piece.Range.End
                    : assistant.SelectMany(r => new[] { r.Start, r.End }).Where(b => b > start && b < piece.Range.End).DefaultIfEmpty(piece.Range.End).Min();
                ids.AddRange(piece.IsControl ? [tokenizer.TokenId(piece.Text)!.Value] : tokenizer.Encode(Text[start..at]));
                said.AddRange(Enumerable.Repeat(inside, ids.Count - said.Count));
            }
        }
        return ([.. ids], [.. said]);
    }

    private List<TextRange> Ranges(Marks mark, bool wanted = true)
    {
        var ranges = new List<TextRange>();
        var start = 0;
        foreach (var (end, marks) in text.Runs)
        {
            if (marks.HasFlag(mark) == wanted && end > start)
            {
                if (ranges.Count > 0 && ranges[^1].End == start)
                    ranges[^1] = new TextRange(ranges[^1].Start, end - ranges[^1].Start);
                else
                    ranges.Add(new TextRange(start, end - start));
            }
            start = end;
        }
        return ranges;
    }
}
