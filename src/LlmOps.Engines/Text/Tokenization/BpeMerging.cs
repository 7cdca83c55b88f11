namespace LlmOps.Engines.Text.Tokenization;

/// <summary>The merge loop of byte-pair encoding.</summary>
internal static class BpeMerging
{
    // Up to here looking through all pairs again is quicker than a heap.
    private const int Short = 48;

    /// <summary>Merges the symbols in place.</summary>
    /// <returns>How many are left.</returns>
    public static int Run(Span<int> symbols, PairTable merges) =>
        symbols.Length < 2 ? symbols.Length : symbols.Length <= Short ? Scan(symbols, merges) : Heap(symbols, merges);

    internal static int Scan(Span<int> symbols, PairTable merges)
    {
        Span<BpeMerge> pairs = stackalloc BpeMerge[symbols.Length];
        var count = symbols.Length;
        for (var i = 0; i + 1 < count; i++)
            pairs[i] = merges[symbols[i], symbols[i + 1]];
        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
            {
                if (pairs[i].Rank < pairs[best].Rank)
                    best = i;
            }
            if (pairs[best].Rank == int.MaxValue)
                break;
            symbols[best] = pairs[best].Id;
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            pairs[(best + 2)..count].CopyTo(pairs[(best + 1)..]);
            count--;
            if (best > 0)
                pairs[best - 1] = merges[symbols[best - 1], symbols[best]];
            if (best + 1 < count)
                pairs[best] = merges[symbols[best], symbols[best + 1]];
        }
        return count;
    }

    // Entries are not taken back when a neighbour changes: one whose pair no longer makes its token is passed over.
    internal static int Heap(Span<int> symbols, PairTable merges)
    {
        var (previous, next) = (new int[symbols.Length], new int[symbols.Length]);
        var queue = new PriorityQueue<(int Position, int Id), long>(symbols.Length);
        for (var i = 0; i < symbols.Length; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1);
            if (i + 1 < symbols.Length)
                Offer(queue, merges, i, symbols[i], symbols[i + 1]);
        }
        while (queue.TryDequeue(out var top, out _))
        {
            var (left, right) = (top.Position, next[top.Position]);
            if (symbols[left] < 0 || right >= symbols.Length || merges[symbols[left], symbols[right]] is var merge && (merge.Rank == int.MaxValue || merge.Id != top.Id))
                continue;
            symbols[left] = top.Id;
            symbols[right] = -1;
            next[left] = next[right];
            if (next[left] < symbols.Length)
            {
                previous[next[left]] = left;
                Offer(queue, merges, left, symbols[left], symbols[next[left]]);
            }
            if (previous[left] >= 0)
                Offer(queue, merges, previous[left], symbols[previous[left]], symbols[left]);
        }
        var count = 0;
        for (var i = 0; i < symbols.Length; i = next[i])
            symbols[count++] = symbols[i];
        return count;
    }

    private static void Offer(PriorityQueue<(int, int), long> queue, PairTable merges, int position, int left, int right)
    {
        if (merges[left, right] is { Rank: < int.MaxValue } merge)
            queue.Enqueue((position, merge.Id), ((long)merge.Rank << 32) | (uint)position);
    }
}
