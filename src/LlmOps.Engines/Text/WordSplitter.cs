using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text;

/// <summary>
/// GPT-2's pre-tokenizer, what Hugging Face's <c>ByteLevel</c> with <c>use_regex</c> does:
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.
/// </summary>
/// <remarks>
/// Written as a scanner because .NET's regular expressions see UTF-16 units: a letter outside the basic plane would count as punctuation there,
/// and the same text would be split otherwise than by Hugging Face.
/// </remarks>
internal static class WordSplitter
{
    private enum Kind { Space, Letter, Number, Other }

    /// <summary>Length of the first word of a text that is not empty.</summary>
    public static int Next(ReadOnlySpan<char> text)
    {
        if (text[0] == '\'' && Contraction(text) is var contraction && contraction > 0)
            return contraction;
        var start = text[0] == ' ' && text.Length > 1 && KindAt(text[1..], out _) != Kind.Space ? 1 : 0;
        var kind = KindAt(text[start..], out var width);
        var end = start + width;
        while (end < text.Length && KindAt(text[end..], out width) == kind)
            end += width;
        // The last space of a run belongs to the word that follows it.
        return kind == Kind.Space && end < text.Length && end > 1 ? end - 1 : end;
    }

    private static int Contraction(ReadOnlySpan<char> text)
    {
        if (text.Length > 1 && text[1] is 's' or 't' or 'm' or 'd')
            return 2;
        return text.Length > 2 && text[1..3] is "re" or "ve" or "ll" ? 3 : 0;
    }

    private static Kind KindAt(ReadOnlySpan<char> text, out int width)
    {
        width = 1;
        var c = text[0];
        if (c < 128)
        {
            if (char.IsAsciiLetter(c))
                return Kind.Letter;
            if (char.IsAsciiDigit(c))
                return Kind.Number;
            return c is ' ' or (>= '\t' and <= '\r') ? Kind.Space : Kind.Other;
        }
        if (char.IsWhiteSpace(c))
            return Kind.Space;
        Rune.DecodeFromUtf16(text, out var rune, out width);
        return Rune.GetUnicodeCategory(rune) switch
        {
            <= UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Other,
        };
    }
}
