using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>What becomes of the matches of a splitting pattern; names as in <c>tokenizer.json</c>.</summary>
internal enum SplitBehavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous }

/// <summary>Cuts a piece of text into smaller ones before the model sees them.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Appends the parts of a piece that is not empty; empty parts are left out.</summary>
    public abstract void Split(in Piece piece, List<Piece> into);
}

/// <summary>Cuts at the matches of a pattern.</summary>
internal sealed class PatternSplit(TextPattern pattern, SplitBehavior behavior) : PreTokenizer
{
    public override void Split(in Piece piece, List<Piece> into)
    {
        var parts = new List<(int Start, int End, bool Match)>();
        pattern.Find(piece.Span, parts);
        foreach (var (start, end, match) in behavior switch
        {
            SplitBehavior.Contiguous => Merge(parts, (match, before) => match == before),
            SplitBehavior.MergedWithPrevious => Merge(parts, (match, before) => match && !before),
            SplitBehavior.MergedWithNext => Enumerable.Reverse(Merge(Enumerable.Reverse(parts), (match, before) => match && !before)),
            _ => parts,
        })
        {
            if (end > start && !(match && behavior == SplitBehavior.Removed))
                into.Add(piece.Part(start, end - start));
        }
    }

    // Each part joins the one before it when the rule says so; the part before the first counts as no match.
    private static List<(int Start, int End, bool Match)> Merge(IEnumerable<(int Start, int End, bool Match)> parts, Func<bool, bool, bool> joins)
    {
        var merged = new List<(int Start, int End, bool Match)>();
        var before = false;
        foreach (var (start, end, match) in parts)
        {
            if (joins(match, before) && merged.Count > 0)
                merged[^1] = (Math.Min(merged[^1].Start, start), Math.Max(merged[^1].End, end), false);
            else
                merged.Add((start, end, false));
            before = match;
        }
        return merged;
    }
}

/// <summary>Cuts into a scanner's words: <see cref="PatternSplit"/> for patterns that leave nothing out, without its lists.</summary>
internal sealed class ScannerSplit(WordScanner next) : PreTokenizer
{
    public override void Split(in Piece piece, List<Piece> into)
    {
        var text = piece.Span;
        for (var at = 0; at < text.Length;)
        {
            var length = next(text[at..]);
            into.Add(piece.Part(at, length));
            at += length;
        }
    }
}

/// <summary>GPT-2's splitting and the alphabet of <see cref="ByteAlphabet"/>.</summary>
/// <param name="AddPrefixSpace">Whether a piece that does not start with a space gets one.</param>
/// <param name="UseRegex">Whether to cut into GPT-2's words.</param>
/// <param name="MapBytes">Whether to write each UTF-8 byte as its character; not when the model reads bytes itself.</param>
internal sealed class ByteLevelSplit(bool AddPrefixSpace, bool UseRegex, bool MapBytes) : PreTokenizer
{
    /// <summary>Whether the pieces pass as they are.</summary>
    public bool IsIdentity => !AddPrefixSpace && !UseRegex && !MapBytes;

    public ByteLevelSplit WithoutMapping() => new(AddPrefixSpace, UseRegex, MapBytes: false);

    public override void Split(in Piece piece, List<Piece> into)
    {
        var whole = AddPrefixSpace && piece.Span[0] != ' ' ? Piece.Whole(" " + piece.Span.ToString(), piece.Leads) : piece;
        var first = into.Count;
        if (UseRegex)
            new ScannerSplit(WordSplitter.Next).Split(whole, into);
        else
            into.Add(whole);
        for (var i = first; MapBytes && i < into.Count; i++)
            into[i] = Piece.Whole(ByteAlphabet.TokenOf(Encoding.UTF8.GetBytes(into[i].Span.ToArray())), into[i].Leads);
    }
}

/// <summary>SentencePiece's way with spaces: each becomes a visible mark, words begin with one.</summary>
/// <param name="Mark">The mark, usually U+2581.</param>
/// <param name="Prepend"><c>always</c>, <c>first</c> or <c>never</c>: where a mark is put before a piece that has none.</param>
/// <param name="CutAtMarks">Whether to cut before each mark.</param>
internal sealed class MetaspaceSplit(string Mark, string Prepend, bool CutAtMarks) : PreTokenizer
{
    private readonly PatternSplit cut = new(new LiteralPattern(Mark), SplitBehavior.MergedWithNext);

    public override void Split(in Piece piece, List<Piece> into)
    {
        var text = piece.Span.ToString().Replace(" ", Mark, StringComparison.Ordinal);
        if ((Prepend == "always" || (Prepend == "first" && piece.Leads)) && !text.StartsWith(Mark, StringComparison.Ordinal))
            text = Mark + text;
        var whole = Piece.Whole(text, piece.Leads);
        if (CutAtMarks)
            cut.Split(whole, into);
        else
            into.Add(whole);
    }
}
