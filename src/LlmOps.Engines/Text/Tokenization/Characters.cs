using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>What several components ask about characters.</summary>
internal static class Characters
{
    /// <summary>Replaces characters; null keeps one.</summary>
    public static string Rewrite(string text, Func<Rune, string?> replacement)
    {
        StringBuilder? result = null;
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            var other = replacement(rune);
            if (other is not null && result is null)
                result = new StringBuilder(text.Length).Append(text, 0, at);
            if (result is not null)
                result.Append(other ?? rune.ToString());
            at += rune.Utf16SequenceLength;
        }
        return result?.ToString() ?? text;
    }

    /// <summary>ASCII's punctuation, with symbols, or Unicode's.</summary>
    public static bool IsPunctuation(Rune rune) => rune.IsAscii
        ? rune.Value is > ' ' and < 0x7F && !char.IsAsciiLetterOrDigit((char)rune.Value)
        : Rune.GetUnicodeCategory(rune) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    /// <summary>A character of a word: letters, marks, decimal digits, connectors, and what joins letters.</summary>
    public static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
        UnicodeCategory.Format => rune.Value is 0x200C or 0x200D,
        UnicodeCategory.OtherSymbol => Scripts.IsAlphabeticSymbol(rune.Value),
        _ => false,
    };

    /// <summary>A text with U+FFFD in the place of lone surrogates, which have no UTF-8 form: what any UTF-8 writer would have stored.</summary>
    public static string WithoutLoneSurrogates(string text) =>
        text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;
}
