namespace LlmOps.Training.Batching;

/// <summary>Tokens of one training example; those from <see cref="ScoredFrom"/> on are predicted, the ones before are given.</summary>
/// <param name="Tokens">Token ids.</param>
/// <param name="ScoredFrom">Index of the first predicted token, at least 1: nothing precedes token 0.</param>
public sealed record TokenSequence(int[] Tokens, int ScoredFrom)
{
    /// <summary>Number of predicted tokens.</summary>
    public int Scored => Math.Max(0, Tokens.Length - ScoredFrom);
}

/// <summary>
/// Rows of tokens of equal length, padded on the right, with the places whose next token is predicted. Causal attention keeps padding from reaching
/// real tokens, so rows of one sequence need no mask; packed rows carry one that also separates their documents.
/// </summary>
public sealed class TokenBatch
{
    private TokenBatch(int rows, int length)
    {
        (Rows, Length) = (rows, length);
        Ids = new long[rows * length];
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Tokens per row, padding included.</summary>
    public int Length { get; }

    /// <summary>Token ids [rows · length].</summary>
    public long[] Ids { get; }

    /// <summary>Position of each token in its document [rows · length]; null when every row starts at 0.</summary>
    public long[]? Positions { get; private init; }

    /// <summary>Additive attention mask [rows · length · length], 0 or -∞; null for plain causal attention.</summary>
    public float[]? Mask { get; private init; }

    /// <summary>Places in <see cref="Ids"/> whose next token is predicted.</summary>
    public required long[] ScoredAt { get; init; }

    /// <summary>The next token at each scored place.</summary>
    public required long[] Labels { get; init; }

    /// <summary>Row of each scored place.</summary>
    public required long[] ScoredRow { get; init; }

    /// <summary>Number of tokens that are not padding.</summary>
    public required int Tokens { get; init; }

    /// <summary>One sequence per row.</summary>
    public static TokenBatch OfSequences(IReadOnlyList<TokenSequence> sequences, int padId)
    {
        int length = sequences.Max(s => s.Tokens.Length);
        int scored = sequences.Sum(s => s.Scored);
        var (at, labels, row) = (new long[scored], new long[scored], new long[scored]);
        var batch = new TokenBatch(sequences.Count, length) { ScoredAt = at, Labels = labels, ScoredRow = row, Tokens = sequences.Sum(s => s.Tokens.Length) };
        Array.Fill(batch.Ids, padId);
        int next = 0;
        for (int r = 0; r < sequences.Count; r++)
        {
            int[] tokens = sequences[r].Tokens;
            for (int i = 0; i < tokens.Length; i++) batch.Ids[r * length + i] = tokens[i];
            for (int i = sequences[r].ScoredFrom; i < tokens.Length; i++) (at[next], labels[next], row[next++]) = (r * length + i - 1, tokens[i], r);
        }
        return batch;
    }

    /// <summary>Several documents per row, each seeing only itself and starting at position 0.</summary>
    /// <param name="rows">Documents of each row; together at most <paramref name="length"/> tokens.</param>
    /// <param name="length">Tokens per row.</param>
    /// <param name="padId">Fills what is left of a row.</param>
    public static TokenBatch OfPacked(IReadOnlyList<IReadOnlyList<int[]>> rows, int length, int padId)
    {
        int scored = rows.Sum(row => row.Sum(d => d.Length - 1));
        var (at, labels, rowOf) = (new long[scored], new long[scored], new long[scored]);
        var mask = new float[rows.Count * length * length];
        Array.Fill(mask, float.NegativeInfinity);
        var positions = new long[rows.Count * length];
        var batch = new TokenBatch(rows.Count, length)
        {
            ScoredAt = at, Labels = labels, ScoredRow = rowOf, Mask = mask, Positions = positions, Tokens = rows.Sum(row => row.Sum(d => d.Length)),
        };
        Array.Fill(batch.Ids, padId);
        int next = 0;
        for (int r = 0; r < rows.Count; r++)
        {
            int start = 0;
            foreach (int[] document in rows[r])
            {
                for (int i = 0; i < document.Length; i++)
                {
                    int place = r * length + start + i;
                    batch.Ids[place] = document[i];
                    positions[place] = i;
                    mask.AsSpan(place * length + start, i + 1).Clear();
                    if (i > 0) (at[next], labels[next], rowOf[next++]) = (place - 1, document[i], r);
                }
                start += document.Length;
            }
            // Padding sees itself: a row of the mask that is -∞ throughout would make the softmax NaN.
            for (int i = start; i < length; i++) mask[(r * length + i) * length + i] = 0;
        }
        return batch;
    }
}
