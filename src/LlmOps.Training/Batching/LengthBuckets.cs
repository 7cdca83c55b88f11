namespace LlmOps.Training.Batching;

/// <summary>
/// Order of examples as a pure function of seed and epoch, so that a resumed run needs no random state. Batches hold examples of similar length
/// (little padding) while batches follow each other in random order.
/// </summary>
internal static class LengthBuckets
{
    private const int BatchesPerWindow = 16;

    /// <summary>Indices of each batch of one epoch; the last batch may be smaller.</summary>
    public static List<int[]> Epoch(IReadOnlyList<int> lengths, int batchSize, int seed, int epoch)
    {
        var random = new Random(HashCodeOf(seed, epoch));
        int[] order = [.. Enumerable.Range(0, lengths.Count)];
        random.Shuffle(order);
        var batches = order.Chunk(batchSize * BatchesPerWindow).SelectMany(window => window.OrderBy(i => lengths[i]).Chunk(batchSize)).ToArray();
        random.Shuffle(batches);
        return [.. batches];
    }

    /// <summary>Batches without regard to length, for rows that hold several examples: mixed lengths pack well.</summary>
    public static List<int[]> Shuffled(int count, int batchSize, int seed, int epoch)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        new Random(HashCodeOf(seed, epoch)).Shuffle(order);
        return [.. order.Chunk(batchSize)];
    }

    /// <summary>Seed of one epoch; HashCode.Combine differs between processes and cannot be used.</summary>
    public static int HashCodeOf(int seed, int epoch) => unchecked(seed * 1_000_003 + epoch * 7_919 + 17);

    /// <summary>Cuts items that are padded to the longest into runs of at most <paramref name="maxTokens"/> tokens and <paramref name="maxItems"/> items, at least one item each.</summary>
    public static IEnumerable<List<T>> MicroBatches<T>(IEnumerable<T> items, Func<T, int> length, int maxTokens, int maxItems = int.MaxValue)
    {
        var run = new List<T>();
        int longest = 0;
        foreach (T item in items)
        {
            int candidate = Math.Max(longest, length(item));
            if (run.Count == maxItems || (run.Count > 0 && candidate * (run.Count + 1) > maxTokens))
            {
                yield return run;
                run = [];
                candidate = length(item);
            }
            run.Add(item);
            longest = candidate;
        }
        if (run.Count > 0) yield return run;
    }
}
