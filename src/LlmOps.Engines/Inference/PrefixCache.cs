namespace LlmOps.Engines.Inference;

/// <summary>
/// Keeps the keys and values of the last sequences, and finds the one that begins like a new prompt: a chat's next turn, or a shared system prompt,
/// computes only what is new. What was used longest ago goes when the bytes are used up; one sequence is always kept room for.
/// </summary>
/// <param name="form">What the graph wants.</param>
/// <param name="memory">Where the caches lie.</param>
/// <param name="bytes">Most bytes of all kept sequences; 0 reuses nothing.</param>
/// <param name="context">Longest sequence.</param>
/// <param name="release">Called before a cache is disposed.</param>
internal sealed class PrefixCache(DecoderInterface form, TensorMemory memory, long bytes, int context, Action<KeyValueCache> release) : IDisposable
{
    // Capacity grows in these steps, so that a short chat does not reserve the whole context.
    private const int CapacityStep = 256;
    // Throwing away this many tokens of another sequence is cheaper than a second copy of what it shares with the new one.
    private const int DiscardableTokens = 32;
    private readonly List<KeyValueCache> kept = [];
    private long clock, held;

    public bool IsOff => bytes == 0;

    // Read from other threads too.
    public long Bytes => Interlocked.Read(ref held);

    /// <summary>A sequence that is being computed: neither cut short nor thrown away for another one.</summary>
    public KeyValueCache? Pinned { get; set; }

    /// <returns>A cache whose content is the longest beginning of the prompt that was computed before, and which has room for so many tokens.</returns>
    public KeyValueCache Take(ReadOnlySpan<int> prompt, int tokens)
    {
        var capacity = Math.Min(context, (tokens + CapacityStep - 1) / CapacityStep * CapacityStep);
        var (source, shared) = bytes > 0 ? Longest(prompt) : (null, 0);
        var found = source is null ? Empty(capacity, null)
            : source.Capacity >= tokens && (source.Length - shared <= DiscardableTokens || !Fits(capacity, source)) && source.Truncate(shared) ? source
            : Copy(source, shared, capacity);
        found.LastUsed = ++clock;
        return found;
    }

    private (KeyValueCache? Source, int Shared) Longest(ReadOnlySpan<int> prompt)
    {
        var (best, length) = ((KeyValueCache?)null, 0);
        foreach (var candidate in kept.Where(k => k != Pinned))
        {
            var known = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(candidate.Tokens);
            // The last token is always computed: what is wanted are its logits.
            var common = prompt[..Math.Max(0, prompt.Length - 1)].CommonPrefixLength(known);
            if (common > length)
                (best, length) = (candidate, common);
        }
        return (best, length);
    }

    private KeyValueCache Copy(KeyValueCache source, int shared, int capacity)
    {
        var copy = Empty(capacity, source);
        if (!copy.TryCopy(source, shared))
            copy.Truncate(0);
        if (source.Length - shared <= DiscardableTokens || Bytes > bytes)
            Drop(source);
        return copy;
    }

    // A kept cache that has to go anyway and is large enough is used again: its memory is already there.
    private KeyValueCache Empty(int capacity, KeyValueCache? spared)
    {
        var needed = KeyValueCache.Size(form, 1, capacity);
        while (Bytes + needed > bytes && kept.Where(k => k != spared && k != Pinned).MinBy(k => k.LastUsed) is { } oldest)
        {
            if (oldest.Capacity >= capacity && Bytes <= Math.Max(bytes, oldest.Bytes))
            {
                oldest.Truncate(0);
                return oldest;
            }
            Drop(oldest);
        }
        var made = new KeyValueCache(form, memory, 1, capacity);
        kept.Add(made);
        Interlocked.Add(ref held, made.Bytes);
        return made;
    }

    private bool Fits(int capacity, KeyValueCache beside) => beside.Bytes + KeyValueCache.Size(form, 1, capacity) <= bytes;

    /// <summary>Forgets all sequences.</summary>
    public void Clear()
    {
        foreach (var cache in kept.ToList())
            Drop(cache);
    }

    private void Drop(KeyValueCache dropped)
    {
        kept.Remove(dropped);
        Interlocked.Add(ref held, -dropped.Bytes);
        release(dropped);
        dropped.Dispose();
    }

    public void Dispose()
    {
        foreach (var cache in kept)
            cache.Dispose();
    }
}
