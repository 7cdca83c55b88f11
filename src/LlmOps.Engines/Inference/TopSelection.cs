using System.Numerics.Tensors;

namespace LlmOps.Engines.Inference;

/// <summary>Finds the largest of many values without sorting them all: vocabularies have 150,000 tokens, and this happens for each of them made.</summary>
internal static class TopSelection
{
    // A block's maximum is found with vector instructions; nearly all blocks hold nothing of interest and are passed over.
    private const int Block = 128;

    /// <summary>The indices of the k largest values, largest first, lower index first among equals; negative infinity never counts.</summary>
    public static int[] Largest(ReadOnlySpan<float> values, int k)
    {
        var heap = new PriorityQueue<int, (float Value, int Index)>(Math.Min(k, 1024), Comparer<(float Value, int Index)>.Create(
            (a, b) => a.Value != b.Value ? a.Value.CompareTo(b.Value) : b.Index.CompareTo(a.Index)));
        var least = float.NegativeInfinity;
        for (var start = 0; start < values.Length; start += Block)
        {
            var block = values.Slice(start, Math.Min(Block, values.Length - start));
            if (!(TensorPrimitives.Max(block) > least))
                continue;
            for (var i = 0; i < block.Length; i++)
            {
                if (!(block[i] > least))
                    continue;
                if (heap.Count < k)
                    heap.Enqueue(start + i, (block[i], start + i));
                else
                    heap.EnqueueDequeue(start + i, (block[i], start + i));
                if (heap.Count == k && heap.TryPeek(out _, out var last))
                    least = last.Value;
            }
        }
        var found = new int[heap.Count];
        for (var i = found.Length - 1; i >= 0; i--)
            found[i] = heap.Dequeue();
        return found;
    }

    /// <summary>Appends the indices of all values that are at least as large as the floor, in order.</summary>
    public static void AtLeast(ReadOnlySpan<float> values, float floor, List<int> found)
    {
        for (var start = 0; start < values.Length; start += Block)
        {
            var block = values.Slice(start, Math.Min(Block, values.Length - start));
            if (TensorPrimitives.Max(block) < floor)
                continue;
            for (var i = 0; i < block.Length; i++)
                if (block[i] >= floor)
                    found.Add(start + i);
        }
    }
}
