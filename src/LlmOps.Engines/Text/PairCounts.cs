using System.Runtime.InteropServices;

namespace LlmOps.Engines.Text;

/// <summary>How often each pair of neighbouring tokens occurs in a list of counted words, kept up to date while pairs are merged.</summary>
internal sealed class PairCounts
{
    private const int AnyToken = -1;

    private readonly List<(int[] Symbols, int Count)> words;
    private readonly Dictionary<long, long> counts = [];
    private readonly Dictionary<long, HashSet<int>> wordsOf = [];
    private readonly PriorityQueue<long, (long NegativeCount, long Pair)> queue = new();
    private readonly HashSet<long> grown = [];

    public PairCounts(List<(int[] Symbols, int Count)> words)
    {
        this.words = words;
        for (var w = 0; w < words.Count; w++)
            Add(w, +1, AnyToken);
        EnqueueGrown();
    }

    /// <summary>The most frequent pair, ties by the smaller ids; null when none occurs often enough.</summary>
    public (int Left, int Right)? MostFrequent(int minFrequency)
    {
        while (queue.TryDequeue(out var pair, out var priority))
        {
            var count = counts.GetValueOrDefault(pair);
            if (count < minFrequency)
                continue;
            // Counts that shrank are corrected only here, when they come up: far fewer than all changes.
            if (count != -priority.NegativeCount)
            {
                queue.Enqueue(pair, (-count, pair));
                continue;
            }
            return ((int)(pair >> 32), (int)(pair & 0xFFFFFFFF));
        }
        return null;
    }

    /// <summary>Replaces the pair by one token in every word.</summary>
    public void Merge(int left, int right, int merged)
    {
        if (!wordsOf.Remove(Key(left, right), out var affected))
            return;
        foreach (var w in affected)
        {
            Add(w, -1, merged);
            words[w] = (Replace(words[w].Symbols, left, right, merged), words[w].Count);
            Add(w, +1, merged);
        }
        counts.Remove(Key(left, right));
        EnqueueGrown();
    }

    // Only pairs with the newly merged token can become more frequent or appear in a word that did not have them.
    private void Add(int w, int sign, int newToken)
    {
        var (symbols, count) = words[w];
        for (var i = 0; i + 1 < symbols.Length; i++)
        {
            var pair = Key(symbols[i], symbols[i + 1]);
            CollectionsMarshal.GetValueRefOrAddDefault(counts, pair, out _) += sign * count;
            if (sign < 0 || (newToken != AnyToken && symbols[i] != newToken && symbols[i + 1] != newToken))
                continue;
            // A word stays listed under pairs that it has lost; merging such a pair finds nothing there, which is cheaper than unlisting.
            (CollectionsMarshal.GetValueRefOrAddDefault(wordsOf, pair, out _) ??= []).Add(w);
            grown.Add(pair);
        }
    }

    private void EnqueueGrown()
    {
        foreach (var pair in grown)
        {
            var count = counts.GetValueOrDefault(pair);
            if (count > 0)
                queue.Enqueue(pair, (-count, pair));
        }
        grown.Clear();
    }

    private static int[] Replace(int[] symbols, int left, int right, int merged)
    {
        var result = new int[symbols.Length];
        var length = 0;
        for (var i = 0; i < symbols.Length; i++)
        {
            var hit = symbols[i] == left && i + 1 < symbols.Length && symbols[i + 1] == right;
            result[length++] = hit ? merged : symbols[i];
            if (hit)
                i++;
        }
        return result[..length];
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;
}
