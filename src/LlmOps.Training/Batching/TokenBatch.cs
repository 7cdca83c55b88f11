namespace LlmOps.Training.Batching;

/// <summary>
/// Rows of tokens of equal length, padded on the right, with the places whose next token is predicted. Causal attention keeps padding from reaching
/// real tokens, so rows of one sequence need no mask; packed rows need one that also separates their documents.
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

    /// <summary>First token in <see cref="Ids"/> and length of each document; tokens outside of them are padding.</summary>
    public required IReadOnlyList<(int Start, int Length)> Documents { get; init; }

    /// <summary>Whether rows hold several documents, which must not see each other.</summary>
    public bool IsPacked => Positions is not null;

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
        var batch = new TokenBatch(sequences.Count, length) { ScoredAt = at, Labels = labels, ScoredRow = row, Tokens = sequences.Sum(s => s.Tokens.Length), Documents = [.. sequences.Select((s, row) => (row * length, s.Tokens.Length))] };
        Array.Fill(batch.Ids, padId);
        int next = 0;
        for (int r = 0; r < sequences.Count; r++)
        {
            int[] tokens = sequences[r].Tokens;
            for (int i = 0; i < tokens.Length; i++) batch.Ids[r * length + i] = tokens[i];
            for (int i = sequences[r].ScoredFrom; i < tokens.Length; i++)
            {
                if (sequences[r].IsScored(i)) (at[next], labels[next], row[next++]) = (r * length + i - 1, tokens[i], r);
            }
        }
        return batch;
    }

    /// <summary>Several documents per row, each seeing only itself and starting at position 0. All their tokens but the first are predicted.</summary>
    /// <param name="rows">Documents of each row; together at most <paramref name="length"/> tokens.</param>
    /// <param name="length">Tokens per row.</param>
    /// <param name="padId">Fills what is left of a row.</param>
    public static TokenBatch OfPacked(IReadOnlyList<IReadOnlyList<int[]>> rows, int length, int padId)
        => OfPacked([.. rows.Select(row => row.Select(d => new TokenSequence(d, 1)).ToArray())], length, padId);

    /// <summary>Several examples per row, each seeing only itself and starting at position 0: what the model computes for each is what it computes for it alone.</summary>
    /// <param name="rows">Examples of each row; together at most <paramref name="length"/> tokens.</param>
    /// <param name="length">Tokens per row.</param>
    /// <param name="padId">Fills what is left of a row.</param>
    public static TokenBatch OfPacked(IReadOnlyList<IReadOnlyList<TokenSequence>> rows, int length, int padId)
    {
        int scored = rows.Sum(row => row.Sum(s => s.Scored));
        var (at, labels, rowOf) = (new long[scored], new long[scored], new long[scored]);
        var documents = new List<(int Start, int Length)>();
        var positions = new long[rows.Count * length];
        var batch = new TokenBatch(rows.Count, length)
        {
            ScoredAt = at, Labels = labels, ScoredRow = rowOf, Positions = positions, Documents = documents, Tokens = rows.Sum(row => row.Sum(s => s.Tokens.Length)),
        };
        Array.Fill(batch.Ids, padId);
        int next = 0;
        for (int r = 0; r < rows.Count; r++)
        {
            int start = 0;
            foreach (TokenSequence sequence in rows[r])
            {
                int[] tokens = sequence.Tokens;
                for (int i = 0; i < tokens.Length; i++)
                {
                    int place = r * length + start + i;
                    batch.Ids[place] = tokens[i];
                    positions[place] = i;
                    if (sequence.IsScored(i)) (at[next], labels[next], rowOf[next++]) = (place - 1, tokens[i], r);
                }
                documents.Add((r * length + start, tokens.Length));
                start += tokens.Length;
            }
        }
        return batch;
    }

    /// <summary>Additive attention mask [rows · length · length], 0 or -∞: each token sees its document up to itself, padding itself only.</summary>
    internal float[] Mask()
    {
        var mask = new float[Rows * Length * Length];
        Array.Fill(mask, float.NegativeInfinity);
        // A row of the mask that is -∞ throughout would make the softmax NaN.
        for (int place = 0; place < Ids.Length; place++) mask[place * Length + place % Length] = 0;
        foreach (var (start, count) in Documents)
        {
            for (int i = 0; i < count; i++) mask.AsSpan((start + i) * Length + start % Length, i + 1).Clear();
        }
        return mask;
    }
}
