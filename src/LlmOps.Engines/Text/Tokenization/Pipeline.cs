namespace LlmOps.Engines.Text.Tokenization;

/// <summary>The parts of a tokenizer, in the order in which a text passes through them.</summary>
internal sealed class Pipeline
{
    public required TokenTable Tokens { get; init; }
    /// <summary>Added tokens looked for in the text as it comes.</summary>
    public required AddedTokens Raw { get; init; }
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
    public void Encode(string text, bool specials, List<int> ids)
    {
        if (Raw.IsEmpty)
        {
            EncodeNormalized(text, true, specials, ids);
            return;
        }
        foreach (var (start, end, id) in Raw.Split(text, specials))
        {
            if (id is { } added)
                ids.Add(added);
            else
                EncodeNormalized(start == 0 && end == text.Length ? text : text[start..end], start == 0, specials, ids);
        }
    }

    private void EncodeNormalized(string text, bool leads, bool specials, List<int> ids)
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
