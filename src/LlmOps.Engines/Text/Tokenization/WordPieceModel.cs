using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>WordPiece (BERT): the longest token that a word begins with, again for the rest; a word that cannot be cut so is unknown as a whole.</summary>
/// <param name="ids">The vocabulary.</param>
/// <param name="unknown">Id for unknown words.</param>
/// <param name="prefix">Stands before tokens that continue a word, <c>##</c>.</param>
/// <param name="maxCharacters">Longer words are unknown.</param>
internal sealed class WordPieceModel(Dictionary<string, int> ids, int unknown, string prefix, int maxCharacters) : TokenModel
{
    protected override void Compute(ReadOnlySpan<char> piece, List<int> output)
    {
        var length = 0;
        foreach (var _ in piece.EnumerateRunes())
            length++;
        var first = output.Count;
        for (var start = 0; start < piece.Length;)
        {
            if (length > maxCharacters || Longest(piece[start..], start > 0) is not ({ } id, var width))
            {
                output.RemoveRange(first, output.Count - first);
                output.Add(unknown);
                return;
            }
            output.Add(id);
            start += width;
        }
    }

    private (int? Id, int Width) Longest(ReadOnlySpan<char> rest, bool continues)
    {
        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        Span<char> token = new char[prefix.Length + rest.Length];
        var before = continues ? prefix.Length : 0;
        prefix.AsSpan(0, before).CopyTo(token);
        rest.CopyTo(token[before..]);
        for (var end = rest.Length; end > 0;)
        {
            if (lookup.TryGetValue(token[..(before + end)], out var id))
                return (id, end);
            Rune.DecodeLastFromUtf16(rest[..end], out var _, out var width);
            end -= width;
        }
        return (null, 0);
    }
}

/// <summary>A token for each word of the vocabulary.</summary>
internal sealed class WordLevelModel(Dictionary<string, int> ids, int unknown) : TokenModel
{
    protected override void Compute(ReadOnlySpan<char> piece, List<int> output) =>
        output.Add(ids.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(piece, out var id) ? id : unknown);
}
