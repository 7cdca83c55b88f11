using System.Text;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Says which parts of a text match; the parts cover the text in order.</summary>
internal abstract class TextPattern
{
    /// <summary>Appends the parts of a text that is not empty.</summary>
    public abstract void Find(ReadOnlySpan<char> text, List<(int Start, int End, bool Match)> parts);

    /// <summary>The same pattern with matches and the rest exchanged.</summary>
    public TextPattern Inverted() => new Inverse(this);

    private sealed class Inverse(TextPattern pattern) : TextPattern
    {
        public override void Find(ReadOnlySpan<char> text, List<(int Start, int End, bool Match)> parts)
        {
            pattern.Find(text, parts);
            for (var i = 0; i < parts.Count; i++)
                parts[i] = parts[i] with { Match = !parts[i].Match };
        }
    }
}

/// <summary>Each character of a set is a match of its own.</summary>
internal sealed class CharacterPattern(Func<Rune, bool> matches) : TextPattern
{
    public override void Find(ReadOnlySpan<char> text, List<(int Start, int End, bool Match)> parts)
    {
        var (at, rest) = (0, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            var end = at + rune.Utf16SequenceLength;
            if (matches(rune))
            {
                if (rest < at)
                    parts.Add((rest, at, false));
                parts.Add((at, end, true));
                rest = end;
            }
            at = end;
        }
        if (rest < at)
            parts.Add((rest, at, false));
    }
}

/// <summary>Runs of characters of one kind are a match, but for kind 0.</summary>
internal sealed class RunPattern(Func<Rune, int> kindOf) : TextPattern
{
    public override void Find(ReadOnlySpan<char> text, List<(int Start, int End, bool Match)> parts)
    {
        var (at, start, before) = (0, 0, -1);
        foreach (var rune in text.EnumerateRunes())
        {
            var kind = kindOf(rune);
            if (kind != before && at > 0)
            {
                parts.Add((start, at, before != 0));
                start = at;
            }
            (before, at) = (kind, at + rune.Utf16SequenceLength);
        }
        parts.Add((start, at, before != 0));
    }
}

/// <summary>A literal text.</summary>
internal sealed class LiteralPattern(string literal) : TextPattern
{
    public override void Find(ReadOnlySpan<char> text, List<(int Start, int End, bool Match)> parts)
    {
        var rest = 0;
        while (literal.Length > 0 && text[rest..].IndexOf(literal, StringComparison.Ordinal) is var at and >= 0)
        {
            if (at > 0)
                parts.Add((rest, rest + at, false));
            parts.Add((rest + at, rest + at + literal.Length, true));
            rest += at + literal.Length;
        }
        if (rest < text.Length)
            parts.Add((rest, text.Length, false));
    }
}

/// <summary>A scanner's words; they leave nothing between them.</summary>
internal sealed class ScannerPattern(WordScanner next) : TextPattern
{
    public override void Find(ReadOnlySpan<char> text, List<(int Start, int End, bool Match)> parts)
    {
        for (var at = 0; at < text.Length;)
        {
            var end = at + next(text[at..]);
            parts.Add((at, end, true));
            at = end;
        }
    }
}

/// <summary>A regular expression in Oniguruma's dialect; see <see cref="OnigurumaPattern"/>.</summary>
internal sealed class RegexPattern(Regex regex, AstralStandIns standIns) : TextPattern
{
    public override void Find(ReadOnlySpan<char> text, List<(int Start, int End, bool Match)> parts)
    {
        if (text.ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            FindWithStandIns(text, parts);
            return;
        }
        var rest = 0;
        foreach (var match in regex.EnumerateMatches(text))
            Add(parts, ref rest, match.Index, match.Index + match.Length);
        if (rest < text.Length)
            parts.Add((rest, text.Length, false));
    }

    private void FindWithStandIns(ReadOnlySpan<char> text, List<(int Start, int End, bool Match)> parts)
    {
        var (replaced, offsets) = standIns.Replace(text);
        var rest = 0;
        foreach (var match in regex.EnumerateMatches(replaced))
            Add(parts, ref rest, offsets[match.Index], offsets[match.Index + match.Length]);
        if (rest < text.Length)
            parts.Add((rest, text.Length, false));
    }

    private static void Add(List<(int Start, int End, bool Match)> parts, ref int rest, int start, int end)
    {
        if (rest < start)
            parts.Add((rest, start, false));
        parts.Add((start, end, true));
        rest = end;
    }
}
