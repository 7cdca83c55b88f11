using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>
/// A text as the contamination check sees it: its words in order, without what does not change which text it is.
/// </summary>
/// <remarks>
/// Unicode NFKC, then lower case, then words: runs of letters, digits and marks. A character of a script that is written without spaces
/// (Han, kana, Thai …) is a word of its own. Punctuation and white space only separate, except what changes the meaning of a
/// formula: mathematical and currency symbols, <c>* / % # &amp;</c>, and a minus before a digit are words, so that "3 + 4" and "3 − 4" are
/// two texts. The result does not depend on machine, culture or process.
/// </remarks>
public sealed class ContaminationText
{
    private readonly int[] ends;

    private ContaminationText(string normalized, int[] ends)
    {
        Normalized = normalized;
        this.ends = ends;
        Hashes = new ulong[ends.Length];
        for (var i = 0; i < ends.Length; i++)
            Hashes[i] = WordHash.Of(Word(i));
    }

    /// <summary>The words, with one space between two. A text without any word keeps its characters, so that it can still be equal to another.</summary>
    public string Normalized { get; }

    /// <summary>How many words it has.</summary>
    public int Words => ends.Length;

    /// <summary>Nothing but white space: equal to nothing.</summary>
    public bool IsBlank => Normalized.Length == 0;

    internal ulong[] Hashes { get; }

    internal ReadOnlySpan<char> Word(int i) => Normalized.AsSpan(i == 0 ? 0 : ends[i - 1] + 1, i == 0 ? ends[0] : ends[i] - ends[i - 1] - 1);

    /// <summary>The n words from word <paramref name="first"/> on, with one space between two.</summary>
    internal string Window(int first, int n)
    {
        var start = first == 0 ? 0 : ends[first - 1] + 1;
        return Normalized[start..ends[first + n - 1]];
    }

    /// <summary>Normalises a text, in time linear in its length.</summary>
    public static ContaminationText Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var clean = Clean(text);
        var words = new StringBuilder(clean.Length);
        var ends = new List<int>();
        var open = false;
        void Close()
        {
            if (open)
                ends.Add(words.Length);
            open = false;
        }
        for (var i = 0; i < clean.Length;)
        {
            // Most characters of most texts.
            if (char.IsAsciiLetterOrDigit(clean[i]))
            {
                if (!open && words.Length > 0)
                    words.Append(' ');
                words.Append(clean[i++]);
                open = true;
                continue;
            }
            Rune.DecodeFromUtf16(clean.AsSpan(i), out var rune, out var length);
            i += length;
            var category = Rune.GetUnicodeCategory(rune);
            var alone = IsUnspaced(rune) || category is UnicodeCategory.MathSymbol or UnicodeCategory.CurrencySymbol || rune.Value is '*' or '/' or '%' or '#' or '&'
                || rune.Value == '-' && char.IsDigit(clean.AsSpan(i).TrimStart() is [var next, ..] ? next : ' ');
            if (!alone && !IsWord(category))
            {
                Close();
                continue;
            }
            if (alone)
                Close();
            if (!open && words.Length > 0)
                words.Append(' ');
            words.Append(clean, i - length, length);
            open = true;
            if (alone)
                Close();
        }
        Close();
        return ends.Count > 0 ? new(words.ToString(), [.. ends]) : new(clean.Trim(), []);
    }

    private static string Clean(string text)
    {
        if (Ascii.IsValid(text))
            return text.ToLowerInvariant();
        // Half a surrogate pair is in real data, and Normalize refuses it.
        var whole = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            whole.Append(rune.ToString());
        return whole.ToString().Normalize(NormalizationForm.FormKC).ToLowerInvariant();
    }

    private static bool IsWord(UnicodeCategory category) => category is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    private static bool IsUnspaced(Rune rune) => rune.Value is >= 0x0E00 and <= 0x0EFF or >= 0x1000 and <= 0x109F or >= 0x1780 and <= 0x17FF or >= 0x3040 and <= 0x30FF
        or >= 0x3400 and <= 0x4DBF or >= 0x4E00 and <= 0x9FFF or >= 0xF900 and <= 0xFAFF or >= 0x20000 and <= 0x323AF && IsWord(Rune.GetUnicodeCategory(rune));
}
