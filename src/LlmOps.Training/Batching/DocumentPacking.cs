namespace LlmOps.Training.Batching;

/// <summary>Packs documents into rows of a fixed length so that few positions are padding (best fit over a window of open rows).</summary>
internal static class DocumentPacking
{
    // More open rows waste less padding; beyond a few dozen nothing changes for short documents.
    private const int OpenRows = 64;

    /// <summary>Rows of whole documents in the order given; documents longer than a row are cut into pieces.</summary>
    /// <param name="documents">Token ids of each document.</param>
    /// <param name="length">Tokens per row.</param>
    public static List<List<int[]>> Pack(IEnumerable<int[]> documents, int length)
    {
        var rows = new List<List<int[]>>();
        var open = new List<(List<int[]> Row, int Free)>();
        foreach (int[] document in documents)
        {
            foreach (int[] piece in document.Chunk(length))
            {
                // A lone token predicts nothing.
                if (piece.Length < 2) continue;
                int best = -1;
                for (int i = 0; i < open.Count; i++)
                {
                    if (open[i].Free >= piece.Length && (best < 0 || open[i].Free < open[best].Free)) best = i;
                }
                if (best < 0)
                {
                    if (open.Count == OpenRows) open.RemoveAt(Fullest(open));
                    rows.Add([]);
                    open.Add((rows[^1], length));
                    best = open.Count - 1;
                }
                open[best].Row.Add(piece);
                open[best] = (open[best].Row, open[best].Free - piece.Length);
                if (open[best].Free < 2) open.RemoveAt(best);
            }
        }
        return rows;
    }

    private static int Fullest(List<(List<int[]> Row, int Free)> open)
    {
        int fullest = 0;
        for (int i = 1; i < open.Count; i++)
        {
            if (open[i].Free < open[fullest].Free) fullest = i;
        }
        return fullest;
    }
}
