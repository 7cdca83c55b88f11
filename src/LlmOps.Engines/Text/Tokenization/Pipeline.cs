namespace LlmOps.Engines.Text.Tokenization;

/// <summary>The parts of a tokenizer, in the order in which a text passes through them.</summary>
internal sealed class Pipeline
{
    public required TokenTable Tokens { get; init; }
    /// <summary>Added tokens looked for in the text as it comes.</summary>
    public required AddedTokens Raw { get; init; }
    /// <summary>These and all control tokens.</summary>
    public required AddedTokens RawAndControl { get; init; }
    /// <summary>Changes what is between them; null for none.</summary>
    public Normalizer? Normalizer { get; init; }
    /// <summary>Added tokens looked for afterwards.</summary>
    public required AddedTokens Normalized { get; init; }
    public IReadOnlyList<PreTokenizer> PreTokenizers { get; init; } = [];
    public required TokenModel Model { get; init; }
    /// <summary>Ids put before and after a text when asked.</summary>
    public (int[] Before, int[] After) Template { get; init; } = ([], []);
    public required TokenDecoder Decoder { get; init; }
    /// <summary>Pairs of a byte-pair encoding in the order in which they are merged.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges { get; init; } = [];
    public int? BosId { get; init; }
    public int? EosId { get; init; }
    public int? PadId { get; init; }

    /// <summary>Appends the ids of a text.</summary>
    /// <param name="text">Text without lone surrogates.</param>
    /// <param name="specials">Whether control tokens written in the text count.</param>
    /// <param name="ids">Where to.</param>
    public void Encode(string text, bool specials, List<int> ids) => Encode(text, Raw, (_, _) => specials, (_, _) => specials, ids);

    /// <summary>Appends the ids of a text in which control tokens count at some places only; those that are looked for after normalization are looked for before it.</summary>
    /// <param name="text">Text without lone surrogates.</param>
    /// <param name="specials">Whether a control token at a place (start, end) counts.</param>
    /// <param name="ids">Where to.</param>
    public void Encode(string text, Func<int, int, bool> specials, List<int> ids) => Encode(text, RawAndControl, specials, (_, _) => false, ids);

    private void Encode(string text, AddedTokens tokens, Func<int, int, bool> specials, Func<int, int, bool> normalizedSpecials, List<int> ids)
    {
        if (tokens.IsEmpty)
        {
            EncodeNormalized(text, true, normalizedSpecials, ids);
            return;
        }
        foreach (var (start, end, id) in tokens.Split(text, specials))
        {
            if (id is { } added)
                ids.Add(added);
            else
                EncodeNormalized(start == 0 && end == text.Length ? text : text[start..end], start == 0, normalizedSpecials, ids);
        }
    }

    private void EncodeNormalized(string text, bool leads, Func<int, int, bool> specials, List<int> ids)
    {
        text = Normalizer?.Normalize(text) ?? text;
        if (text.Length == 0)
            return;
        if (Normalized.IsEmpty)
        {
            EncodePiece(Piece.Whole(text, leads), ids);
            return;
        }
        foreach (var (start, end, id) in Normalized.Split(text, specials))
        {
            if (id is { } added)
                ids.Add(added);
            else
                EncodePiece(new Piece(text, start, end - start, leads && start == 0), ids);
        }
    }

    private void EncodePiece(Piece whole, List<int> ids)
    {
        List<Piece> pieces = [whole], next = [];
        foreach (var step in PreTokenizers)
        {
            next.Clear();
            foreach (var piece in pieces)
                step.Split(piece, next);
            (pieces, next) = (next, pieces);
        }
        foreach (var piece in pieces)
            Model.Encode(piece.Span, ids);
    }
}
