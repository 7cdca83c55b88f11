namespace LlmOps.Engines.Text.Tokenization;

/// <summary>
/// Remembers the ids of words: natural text repeats them, and a merge loop costs some fifty times as much as a look-up. Fixed in size; a new word takes the
/// place of the one in its slot. Entries never change after they are stored, so that threads need no lock.
/// </summary>
internal sealed class WordCache
{
    private const int Slots = 1 << 17;
    private readonly Entry?[] entries = new Entry?[Slots];

    private sealed record Entry(string Word, int Hash, int[] Ids);

    public static int Hash(ReadOnlySpan<char> word)
    {
        var hash = (uint)word.Length;
        foreach (var c in word)
            hash = (hash ^ c) * 0x01000193;
        return (int)(hash ^ (hash >> 15));
    }

    public int[]? Find(ReadOnlySpan<char> word, int hash) =>
        Volatile.Read(ref entries[hash & (Slots - 1)]) is { } entry && entry.Hash == hash && word.SequenceEqual(entry.Word) ? entry.Ids : null;

    public void Add(ReadOnlySpan<char> word, int hash, int[] ids) => Volatile.Write(ref entries[hash & (Slots - 1)], new Entry(word.ToString(), hash, ids));
}
