namespace LlmOps.Engines.Text.Tokenization;

/// <summary>
/// Places where a text without pre-tokenizer may be cut without changing what byte-pair encoding makes of it: before a space mark (U+2581) that follows a
/// character which it follows inside no token, so that nothing can merge over the place.
/// </summary>
internal sealed class SafeBreaks
{
    private const char Mark = '\u2581';
    private readonly HashSet<char>? joined;

    public SafeBreaks(Dictionary<string, int> vocabulary)
    {
        // Unknown characters may be fused over a mark that is unknown itself.
        if (!vocabulary.ContainsKey(Mark.ToString()))
            return;
        joined = [];
        foreach (var token in vocabulary.Keys)
        {
            for (var at = token.IndexOf(Mark, 1 < token.Length ? 1 : 0); at > 0; at = at + 1 < token.Length ? token.IndexOf(Mark, at + 1) : -1)
                joined.Add(token[at - 1]);
        }
    }

    private SafeBreaks()
    {
    }

    /// <summary>Never cuts.</summary>
    public static SafeBreaks None { get; } = new();

    /// <summary>Length of the part up to the first such place.</summary>
    public int Next(ReadOnlySpan<char> text)
    {
        if (joined is null)
            return text.Length;
        for (var at = 1; at < text.Length; at++)
        {
            var found = text[at..].IndexOf(Mark);
            if (found < 0)
                return text.Length;
            at += found;
            if (!joined.Contains(text[at - 1]))
                return at;
        }
        return text.Length;
    }
}
