using System.Numerics;

namespace LlmOps.Training.Batching;

/// <summary>
/// Packs items into rows: longest first, each into the row with the least room that is still enough (Johnson 1973; what fine-tuning tools call <c>bfd</c>).
/// Time is linear in the number of items, times capacity / 64.
/// </summary>
internal static class BestFitDecreasing
{
    // A little waste is cheaper than attention over longer rows.
    private const double AcceptedPadding = 0.05;

    /// <summary>Indices of the items of each row. Equal lengths keep their order, so the result depends on the input only.</summary>
    /// <param name="lengths">Length of each item, 1 to <paramref name="capacity"/>.</param>
    /// <param name="capacity">Room of a row.</param>
    public static List<int[]> Pack(IReadOnlyList<int> lengths, int capacity)
    {
        var rows = new List<List<int>>();
        // Open rows by the room they have left, and one bit for each room that occurs.
        var withRoom = new Stack<int>?[capacity + 1];
        var occurs = new ulong[capacity / 64 + 1];
        foreach (int item in Enumerable.Range(0, lengths.Count).OrderByDescending(i => lengths[i]))
        {
            int length = lengths[item];
            if (length < 1 || length > capacity) throw new ArgumentException($"An item has the length {length}; 1 to {capacity} are possible.", nameof(lengths));
            int room = LeastRoom(occurs, length), row;
            if (room < 0)
            {
                (room, row) = (capacity, rows.Count);
                rows.Add([]);
            }
            else
            {
                row = withRoom[room]!.Pop();
                if (withRoom[room]!.Count == 0) occurs[room / 64] &= ~(1UL << room % 64);
            }
            rows[row].Add(item);
            room -= length;
            (withRoom[room] ??= new Stack<int>()).Push(row);
            occurs[room / 64] |= 1UL << room % 64;
        }
        return rows.ConvertAll(r => r.ToArray());
    }

    /// <summary>
    /// Packs into rows as long as the longest item, twice or four times as long, at most <paramref name="limit"/>: the shortest rows with little padding, else those with least.
    /// Attention within a row costs its length squared, so longer rows than needed are waste as well.
    /// </summary>
    public static (List<int[]> Rows, int Capacity) PackTightly(IReadOnlyList<int> lengths, int limit)
    {
        int longest = lengths.Max();
        long tokens = lengths.Sum(l => (long)l), best = long.MaxValue;
        (List<int[]> Rows, int Capacity) chosen = ([], longest);
        foreach (int capacity in new[] { longest, 2 * longest, 4 * longest }.Where(c => c == longest || c <= limit))
        {
            List<int[]> rows = Pack(lengths, capacity);
            // The last row is often half empty; a batch need not be longer than its fullest row.
            int used = rows.Max(r => r.Sum(i => lengths[i]));
            long places = (long)rows.Count * used;
            if (places < best) (best, chosen) = (places, (rows, used));
            if (places - tokens <= AcceptedPadding * places) break;
        }
        return chosen;
    }

    private static int LeastRoom(ulong[] occurs, int length)
    {
        ulong word = occurs[length / 64] & ulong.MaxValue << length % 64;
        for (int i = length / 64; ; word = occurs[i])
        {
            if (word != 0) return i * 64 + BitOperations.TrailingZeroCount(word);
            if (++i == occurs.Length) return -1;
        }
    }
}
