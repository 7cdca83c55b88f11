using System.Numerics;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>What a pair becomes, and when; the rank of a pair that never merges is the highest there is.</summary>
internal readonly record struct BpeMerge(int Rank, int Id);

/// <summary>
/// The merges by pair: open addressing with linear probing, at most half full, because a merge loop asks for every pair of a word and nearly all answers are
/// "none", which a dictionary finds three times as slowly.
/// </summary>
internal sealed class PairTable
{
    private static readonly BpeMerge None = new(int.MaxValue, -1);
    private readonly Entry[] entries;
    private readonly int shift;

    private struct Entry
    {
        public int Left, Right, Rank, Id;
    }

    /// <param name="capacity">How many pairs will be set at most.</param>
    public PairTable(int capacity)
    {
        entries = new Entry[BitOperations.RoundUpToPowerOf2((uint)Math.Max(8, capacity * 2L))];
        Array.Fill(entries, new Entry { Left = -1 });
        shift = 64 - BitOperations.Log2((uint)entries.Length);
    }

    /// <summary>The merge of a pair.</summary>
    public BpeMerge this[int left, int right]
    {
        get
        {
            ref var entry = ref Slot(left, right);
            return entry.Left < 0 ? None : new BpeMerge(entry.Rank, entry.Id);
        }
        set => Slot(left, right) = new Entry { Left = left, Right = right, Rank = value.Rank, Id = value.Id };
    }

    private ref Entry Slot(int left, int right)
    {
        var at = (int)(((((ulong)(uint)left << 32) | (uint)right) * 0x9E3779B97F4A7C15) >> shift);
        while (true)
        {
            ref var entry = ref entries[at];
            if (entry.Left < 0 || (entry.Left == left && entry.Right == right))
                return ref entry;
            at = (at + 1) & (entries.Length - 1);
        }
    }
}
