using System.Buffers;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>A token that is looked for in the text itself, before anything else; properties as in <c>tokenizer.json</c>.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="Special">A control token: found only when the caller trusts the text.</param>
/// <param name="SingleWord">Not inside a word.</param>
/// <param name="LeftStrip">Takes the white space before it.</param>
/// <param name="RightStrip">Takes the white space after it.</param>
/// <param name="Normalized">Looked for after normalization, in its own normalized form.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool SingleWord = false, bool LeftStrip = false, bool RightStrip = false, bool Normalized = false);

/// <summary>Finds added tokens: the leftmost, of those the longest.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, AddedToken> byPattern = new(StringComparer.Ordinal);
    private readonly Dictionary<char, int[]> lengths;
    private readonly SearchValues<char> starts;

    /// <param name="tokens">Tokens with the text to look for.</param>
    public AddedTokens(IEnumerable<(string Pattern, AddedToken Token)> tokens)
    {
        foreach (var (pattern, token) in tokens.Where(t => t.Pattern.Length > 0))
            byPattern[pattern] = token;
        lengths = byPattern.Keys.GroupBy(p => p[0]).ToDictionary(g => g.Key, g => g.Select(p => p.Length).Distinct().OrderDescending().ToArray());
        starts = SearchValues.Create([.. lengths.Keys]);
    }

    /// <summary>Whether there are any.</summary>
    public bool IsEmpty => byPattern.Count == 0;

    /// <summary>Cuts a text into added tokens and the rest.</summary>
    /// <param name="text">The text.</param>
    /// <param name="specials">Whether a control token at a place (start, end) counts; its letters are passed over otherwise.</param>
    /// <returns>Parts in order with the id, or null for the rest.</returns>
    public List<(int Start, int End, int? Id)> Split(string text, Func<int, int, bool> specials)
    {
        var parts = new List<(int, int, int?)>();
        var rest = 0;
        for (var at = 0; Find(text, at) is (var start, { } token, var length); at = start + length)
        {
            var (from, to) = (start, start + length);
            if ((token.Special && !specials(from, to)) || (token.SingleWord && InsideWord(text, from, to)))
                continue;
            while (token.LeftStrip && from > rest && char.IsWhiteSpace(text[from - 1]))
                from--;
            while (token.RightStrip && to < text.Length && char.IsWhiteSpace(text[to]))
                to++;
            // A token found inside the white space that the one before it took starts behind it.
            from = Math.Max(from, rest);
            to = Math.Max(to, from);
            if (rest < from)
                parts.Add((rest, from, null));
            parts.Add((from, to, token.Id));
            rest = to;
        }
        if (rest < text.Length)
            parts.Add((rest, text.Length, null));
        return parts;
    }

    private (int Start, AddedToken Token, int Length)? Find(string text, int at)
    {
        var lookup = byPattern.GetAlternateLookup<ReadOnlySpan<char>>();
        while (text.AsSpan(at).IndexOfAny(starts) is var found and >= 0)
        {
            at += found;
            foreach (var length in lengths[text[at]])
            {
                if (length <= text.Length - at && lookup.TryGetValue(text.AsSpan(at, length), out var token))
                    return (at, token, length);
            }
            at++;
        }
        return null;
    }

    private static bool InsideWord(string text, int start, int end) =>
        (Rune.DecodeLastFromUtf16(text.AsSpan(0, start), out var before, out _) == OperationStatus.Done && Characters.IsWord(before))
        || (Rune.DecodeFromUtf16(text.AsSpan(end), out var after, out _) == OperationStatus.Done && Characters.IsWord(after));
}
