namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Length of the first word of a text that is not empty.</summary>
internal delegate int WordScanner(ReadOnlySpan<char> text);

/// <summary>
/// The splitting patterns that most byte-level tokenizers use, written as scanners: several times as fast as a regular expression, and right for
/// letters beyond the basic plane, which .NET's regular expressions see as two units that are no letters.
/// </summary>
internal static class WordScanners
{
    private const string Contractions = "'s|'t|'re|'ve|'m|'ll|'d";
    private const string Tail = @"\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Gpt2 = Contractions + @"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    private const string Llama3 = "(?i:" + Contractions + @")|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + Tail;
    private const string Qwen2 = "(?i:" + Contractions + @")|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + Tail;
    private const string O200k =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:" + Contractions + ")?|" +
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:" + Contractions + ")?|" +
        @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + Tail;

    /// <summary>Patterns that have a scanner.</summary>
    public static IReadOnlyDictionary<string, WordScanner> ByPattern { get; } = new Dictionary<string, WordScanner>(StringComparer.Ordinal)
    {
        [Gpt2] = WordSplitter.Next,
        [Llama3] = text => Cl100k(text, 3),
        [Qwen2] = text => Cl100k(text, 1),
        [O200k] = NextO200k,
    };

    private static int Cl100k(ReadOnlySpan<char> text, int maxDigits)
    {
        if (Contraction(text) is var contraction and > 0)
            return contraction;
        var kind = CharKinds.At(text, out var width);
        if ((kind & CharKind.Letter) != 0)
            return Run(text, width, CharKind.Letter);
        if ((kind & CharKind.Number) != 0)
            return Digits(text, width, maxDigits);
        if (text[0] is not ('\r' or '\n') && (CharKinds.At(text, width, out _) & CharKind.Letter) != 0)
            return Run(text, width, CharKind.Letter);
        return Punctuation(text, kind, width, slashes: false) is var length and > 0 ? length : Spaces(text);
    }

    private static int NextO200k(ReadOnlySpan<char> text)
    {
        var kind = CharKinds.At(text, out var width);
        if ((kind & (CharKind.Letter | CharKind.Number)) == 0)
        {
            // What precedes a word belongs to it; a mark may do so or be part of the word itself, tried in the order of the pattern.
            var lead = text[0] is '\r' or '\n' ? 0 : width;
            var end = LowerWord(text, lead) is var low and > 0 ? low
                : LowerWord(text, 0) is var bare and > 0 ? bare
                : UpperWord(text, lead) is var up and > 0 ? up : UpperWord(text, 0);
            if (end > 0)
                return end + Contraction(text[end..]);
        }
        else if ((kind & CharKind.Number) != 0)
        {
            return Digits(text, width, 3);
        }
        else
        {
            var end = LowerWord(text, 0) is var low and > 0 ? low : UpperWord(text, 0);
            return end + Contraction(text[end..]);
        }
        return Punctuation(text, kind, width, slashes: true) is var length and > 0 ? length : Spaces(text);
    }

    private const CharKind UpperPart = CharKind.Upper | CharKind.Caseless | CharKind.Mark;
    private const CharKind LowerPart = CharKind.Lower | CharKind.Caseless | CharKind.Mark;

    // [Lu Lt Lm Lo M]* [Ll Lm Lo M]+ : the first part gives characters back until the second has one.
    private static int LowerWord(ReadOnlySpan<char> text, int start)
    {
        var (end, lastShared) = (start, 0);
        CharKind kind;
        int width;
        while (((kind = CharKinds.At(text, end, out width)) & UpperPart) != 0)
        {
            end += width;
            if ((kind & LowerPart) != 0)
                lastShared = end;
        }
        return (kind & LowerPart) != 0 ? Run(text, end + width, LowerPart) : lastShared;
    }

    private static int UpperWord(ReadOnlySpan<char> text, int start)
    {
        var end = Run(text, start, UpperPart);
        return end > start ? Run(text, end, LowerPart) : 0;
    }

    private static int Run(ReadOnlySpan<char> text, int end, CharKind kinds)
    {
        while ((CharKinds.At(text, end, out var width) & kinds) != 0)
            end += width;
        return end;
    }

    private static int Digits(ReadOnlySpan<char> text, int end, int max)
    {
        for (var count = 1; count < max && (CharKinds.At(text, end, out var width) & CharKind.Number) != 0; count++)
            end += width;
        return end;
    }

    private static int Punctuation(ReadOnlySpan<char> text, CharKind kind, int width, bool slashes)
    {
        const CharKind wordOrSpace = CharKind.Letter | CharKind.Number | CharKind.Space;
        var end = text[0] == ' ' ? 1 : (kind & wordOrSpace) == 0 ? width : 0;
        if (end == 0 || (text[0] == ' ' && (CharKinds.At(text, 1, out _) & wordOrSpace) != 0))
            return 0;
        while ((CharKinds.At(text, end, out width) & wordOrSpace) == 0)
            end += width;
        while (end < text.Length && (text[end] is '\r' or '\n' || (slashes && text[end] == '/')))
            end++;
        return end;
    }

    // White space: up to its last line break; else all but the last of it, which belongs to the word that follows.
    private static int Spaces(ReadOnlySpan<char> text)
    {
        var (end, afterBreak) = (0, 0);
        while (end < text.Length && char.IsWhiteSpace(text[end]))
        {
            if (text[end++] is '\r' or '\n')
                afterBreak = end;
        }
        return afterBreak > 0 ? afterBreak : end < text.Length && end > 1 ? end - 1 : end;
    }

    // Without regard to case, which for "s" includes the long s (U+017F).
    private static int Contraction(ReadOnlySpan<char> text)
    {
        if (text.Length < 2 || text[0] != '\'')
            return 0;
        if ((char)(text[1] | 0x20) is 's' or 't' or 'm' or 'd' or 'ſ')
            return 2;
        return text.Length > 2 && ((char)(text[1] | 0x20), (char)(text[2] | 0x20)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }
}
