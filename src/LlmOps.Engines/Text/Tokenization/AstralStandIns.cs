using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>
/// Makes .NET's regular expressions, which see UTF-16 units, right for code points beyond the basic plane: each is replaced by one character of the
/// basic plane that the pattern cannot tell from it, because it has the same category and script and is not named in the pattern.
/// </summary>
/// <param name="named">Ranges of characters that the pattern names.</param>
internal sealed class AstralStandIns(IReadOnlyList<(int First, int Last)> named)
{
    private readonly Dictionary<(UnicodeCategory, bool Han, bool Alphabetic), char> chosen = [];

    /// <summary>The text with stand-ins, and where each of its characters (and its end) lies in the original.</summary>
    public (string Text, int[] Offsets) Replace(ReadOnlySpan<char> text)
    {
        var replaced = new StringBuilder(text.Length);
        var offsets = new List<int>(text.Length + 1);
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            offsets.Add(at);
            replaced.Append(rune.IsBmp ? (char)rune.Value : StandIn(rune));
            at += rune.Utf16SequenceLength;
        }
        offsets.Add(at);
        return (replaced.ToString(), [.. offsets]);
    }

    private char StandIn(Rune rune)
    {
        var key = (Rune.GetUnicodeCategory(rune), Scripts.IsHan(rune.Value), Scripts.IsAlphabeticSymbol(rune.Value));
        lock (chosen)
        {
            if (!chosen.TryGetValue(key, out var c))
                chosen[key] = c = Choose(key);
            return c;
        }
    }

    private char Choose((UnicodeCategory Category, bool Han, bool Alphabetic) key)
    {
        for (var c = 0x100; c < 0x10000; c++)
        {
            if (CharUnicodeInfo.GetUnicodeCategory((char)c) == key.Category && Scripts.IsHan(c) == key.Han && Scripts.IsAlphabeticSymbol(c) == key.Alphabetic
                && !Scripts.IsJapaneseOrKorean(c) && !named.Any(r => c >= r.First && c <= r.Last) && char.ToLowerInvariant((char)c) is var lower
                && (lower == c || key.Category is UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter))
                return (char)c;
        }
        // Nothing of the kind is left unnamed: the nearest is a private character, which only patterns that name a category exclude.
        return '\uE000';
    }
}
