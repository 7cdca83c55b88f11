using System.Globalization;
using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Changes a text before it is cut into pieces.</summary>
internal abstract class Normalizer
{
    /// <summary>The changed text; the given one holds no lone surrogates.</summary>
    public abstract string Normalize(string text);
}

/// <summary>Unicode's normal forms.</summary>
internal sealed class UnicodeForm(NormalizationForm form) : Normalizer
{
    // .NET refuses the noncharacter U+FFFE, which composes with nothing: the text may be cut there.
    public override string Normalize(string text) => Ascii.IsValid(text) ? text
        : text.Contains('\uFFFE') ? string.Join('\uFFFE', text.Split('\uFFFE').Select(part => part.Normalize(form)))
        : text.Normalize(form);
}

/// <summary>Lower case by Unicode's full mapping without context, so that U+0130 becomes two characters and a final sigma none of its own.</summary>
internal sealed class LowerCase : Normalizer
{
    public override string Normalize(string text)
    {
        if (Ascii.IsValid(text))
            return text.ToLowerInvariant();
        var lower = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            lower.Append(rune.Value == 0x130 ? "i\u0307" : Rune.ToLowerInvariant(rune).ToString());
        return lower.ToString();
    }
}

/// <summary>Leaves out the characters of some categories.</summary>
internal sealed class WithoutMarks(bool nonspacingOnly) : Normalizer
{
    public override string Normalize(string text) => Characters.Rewrite(text, rune => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark => "",
        UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark when !nonspacingOnly => "",
        _ => null,
    });
}

/// <summary>Takes white space off the ends.</summary>
internal sealed class StripSpaces(bool left, bool right) : Normalizer
{
    public override string Normalize(string text) => (left, right) switch
    {
        (true, true) => text.Trim(),
        (true, false) => text.TrimStart(),
        (false, true) => text.TrimEnd(),
        _ => text,
    };
}

/// <summary>Puts something else in the place of each match.</summary>
internal sealed class ReplaceMatches(TextPattern pattern, string content) : Normalizer
{
    public override string Normalize(string text) => Replace(pattern, content, text);

    public static string Replace(TextPattern pattern, string content, string text)
    {
        var parts = new List<(int Start, int End, bool Match)>();
        if (text.Length > 0)
            pattern.Find(text, parts);
        if (!parts.Any(p => p.Match))
            return text;
        var result = new StringBuilder(text.Length);
        foreach (var (start, end, match) in parts)
        {
            if (match)
                result.Append(content);
            else
                result.Append(text, start, end - start);
        }
        return result.ToString();
    }
}

/// <summary>Puts something before a text that is not empty.</summary>
internal sealed class PrependText(string prefix) : Normalizer
{
    public override string Normalize(string text) => text.Length == 0 ? text : prefix + text;
}

/// <summary>What BERT does before WordPiece: white space and control characters, room around Chinese characters, accents, case.</summary>
internal sealed class BertCleaning(bool cleanText, bool spaceChinese, bool stripAccents, bool lowerCase) : Normalizer
{
    private static readonly UnicodeForm Decompose = new(NormalizationForm.FormD);
    private static readonly WithoutMarks Unaccented = new(nonspacingOnly: true);
    private static readonly LowerCase Lower = new();

    public override string Normalize(string text)
    {
        if (cleanText)
            text = Characters.Rewrite(text, Clean);
        if (spaceChinese)
            text = Characters.Rewrite(text, rune => IsChinese(rune.Value) ? $" {rune} " : null);
        if (stripAccents)
            text = Unaccented.Normalize(Decompose.Normalize(text));
        return lowerCase ? Lower.Normalize(text) : text;
    }

    private static string? Clean(Rune rune) => rune.Value switch
    {
        '\t' or '\n' or '\r' => " ",
        0 or 0xFFFD => "",
        _ when Rune.IsWhiteSpace(rune) && Rune.GetUnicodeCategory(rune) != UnicodeCategory.Control => " ",
        _ => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse ? "" : null,
    };

    private static bool IsChinese(int code) => code is >= 0x4E00 and <= 0x9FFF or >= 0x3400 and <= 0x4DBF or >= 0x20000 and <= 0x2A6DF or >= 0x2A700 and <= 0x2B73F
        or >= 0x2B740 and <= 0x2B81F or >= 0x2B920 and <= 0x2CEAF or >= 0xF900 and <= 0xFAFF or >= 0x2F800 and <= 0x2FA1F;
}

/// <summary>Several, one after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<Normalizer> steps) : Normalizer
{
    public override string Normalize(string text) => steps.Aggregate(text, (t, step) => step.Normalize(t));
}
