namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Turns a piece of text into token ids. Safe for use on many threads.</summary>
internal abstract class TokenModel
{
    // Longer pieces are rarely seen twice.
    private const int MaxCachedLength = 256;
    private readonly WordCache cache = new();

    /// <summary>Appends the ids of a piece that is not empty.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.Length > MaxCachedLength)
        {
            Compute(piece, ids);
            return;
        }
        var hash = WordCache.Hash(piece);
        if (cache.Find(piece, hash) is { } known)
        {
            ids.AddRange(known);
            return;
        }
        var start = ids.Count;
        Compute(piece, ids);
        cache.Add(piece, hash, [.. ids[start..]]);
    }

    /// <summary>The work of <see cref="Encode"/>; the same piece always gives the same ids.</summary>
    protected abstract void Compute(ReadOnlySpan<char> piece, List<int> ids);
}
