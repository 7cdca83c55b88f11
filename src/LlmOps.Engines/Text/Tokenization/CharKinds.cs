using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>What the splitting patterns of byte-level tokenizers ask about a character.</summary>
[Flags]
internal enum CharKind : byte
{
    Other = 0,
    /// <summary>Lu, Lt.</summary>
    Upper = 1,
    /// <summary>Ll.</summary>
    Lower = 2,
    /// <summary>Lm, Lo: letters without case.</summary>
    Caseless = 4,
    /// <summary>\p{N}.</summary>
    Number = 8,
    /// <summary>\s: Unicode's White_Space.</summary>
    Space = 16,
    /// <summary>\p{M}.</summary>
    Mark = 32,
    /// <summary>\p{L}.</summary>
    Letter = Upper | Lower | Caseless,
}

/// <summary>A table of the basic plane, because the category of each character is asked several times; code points beyond are looked up.</summary>
internal static class CharKinds
{
    private static readonly CharKind[] Table = [.. Enumerable.Range(0, 0x10000).Select(c => Of(CharUnicodeInfo.GetUnicodeCategory((char)c), char.IsWhiteSpace((char)c)))];

    /// <summary>Kind of the code point at the start of a text that is not empty, and how many UTF-16 units it takes.</summary>
    public static CharKind At(ReadOnlySpan<char> text, out int width)
    {
        width = 1;
        var c = text[0];
        if (!char.IsHighSurrogate(c))
            return Table[c];
        Rune.DecodeFromUtf16(text, out var rune, out width);
        return Of(Rune.GetUnicodeCategory(rune), false);
    }

    /// <summary>Kind at a position; <see cref="CharKind.Space"/> with width 0 at the end, so that a run of anything else stops there.</summary>
    public static CharKind At(ReadOnlySpan<char> text, int position, out int width)
    {
        if (position < text.Length)
            return At(text[position..], out width);
        width = 0;
        return CharKind.Space;
    }

    private static CharKind Of(UnicodeCategory category, bool space) => space ? CharKind.Space : category switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => CharKind.Upper,
        UnicodeCategory.LowercaseLetter => CharKind.Lower,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => CharKind.Caseless,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharKind.Number,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => CharKind.Mark,
        _ => CharKind.Other,
    };
}
