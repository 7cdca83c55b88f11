namespace LlmOps.Engines.Inference;

/// <summary>
/// Sequences that grow token by token over a key/value cache. Long steps go through the folder's second graph, if it has one, on the same cache. Not thread-safe.
/// </summary>
internal sealed class CachedDecoder : IDisposable
{
    // From this many tokens on a step is bound by arithmetic rather than by reading weights, which the second graph is made for.
    private const int PrefillFrom = 8;
    private readonly DecoderSession decoder;
    private readonly BoundDecoder step, prefill;
    private readonly PrefixCache prefixes;
    private KeyValueCache? current, fork;
    private bool hugePagesWanted;
    private BoundDecoder last;

    /// <param name="decoder">The opened folder; not disposed here.</param>
    /// <param name="prefixBytes">Memory for finished sequences whose beginnings may come again; 0 keeps none.</param>
    public CachedDecoder(DecoderSession decoder, long prefixBytes = 0)
    {
        this.decoder = decoder;
        hugePagesWanted = decoder.HugePages;
        last = step = new(decoder.Step);
        prefill = decoder.Prefill is null ? step : new(decoder.Prefill);
        prefixes = new(decoder.Step.Form, decoder.Step.Memory, prefixBytes, decoder.Config.MaxPositionEmbeddings, Release);
    }

    public int Length => (fork ?? current)?.Length ?? 0;

    /// <summary>The keys and values of the sequence under way.</summary>
    public KeyValueCache Current => current ?? throw new InvalidOperationException("No sequence was started.");

    /// <summary>Keeps a sequence that went on growing elsewhere, for prompts that begin like it.</summary>
    /// <param name="tokens">All its tokens.</param>
    /// <param name="busy">Whether the current sequence is still needed.</param>
    /// <param name="fill">Copies its keys and values into a cache, from a place on.</param>
    public void Keep(ReadOnlySpan<int> tokens, bool busy, Action<KeyValueCache, int> fill)
    {
        if (prefixes.IsOff)
            return;
        prefixes.Pinned = busy ? current : null;
        var kept = prefixes.Take(tokens, tokens.Length);
        prefixes.Pinned = null;
        var from = kept.Length;
        fill(kept, from);
        kept.Tokens.AddRange(tokens[from..]);
        kept.Advance(tokens.Length - from);
        if (!busy)
            current = null;
    }

    /// <summary>Bytes of the caches that are kept between sequences. May be asked from another thread.</summary>
    public long CacheBytes => prefixes.Bytes;

    /// <summary>Starts a new sequence with room for <paramref name="tokens"/> tokens.</summary>
    public void Start(int tokens) => Start([], tokens);

    /// <summary>Starts a sequence that will have this beginning, with room for <paramref name="tokens"/> tokens.</summary>
    /// <returns>How many of its tokens are there already; at least the last one has to be appended.</returns>
    public int Start(ReadOnlySpan<int> prompt, int tokens)
    {
        EndFork();
        current = prefixes.Take(prompt, tokens);
        return current.Length;
    }

    /// <summary>Appends tokens and returns the logits after the last one; valid until the next call.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, at the latest after one node of the graph; what was appended before stays.</exception>
    public ReadOnlySpan<float> Append(ReadOnlySpan<int> tokens, CancellationToken ct = default)
    {
        if (current is null || Length + tokens.Length > current.Capacity)
            throw new InvalidOperationException($"The cache has room for {current?.Capacity ?? 0} tokens, and {Length + tokens.Length} are needed.");
        for (var start = 0; start < tokens.Length;)
        {
            ct.ThrowIfCancellationRequested();
            last = tokens.Length - start >= PrefillFrom ? prefill : step;
            var part = tokens.Slice(start, Math.Min(last.LongestStep, tokens.Length - start));
            last.Run(current, part, ct);
            current.Tokens.AddRange(part);
            start += part.Length;
        }
        if (hugePagesWanted) // now that the first sequence's keys and values and the arena's buffers are there
        {
            hugePagesWanted = false;
            HugePages.Collapse();
        }
        return last.LastLogits(0);
    }

    /// <summary>Copies the sequence so that each copy can grow by itself; <see cref="Step"/> then takes one token for each.</summary>
    public void Fork(int rows, int tokens)
    {
        fork = new KeyValueCache(decoder.Step.Form, decoder.Step.Memory, rows, tokens);
        if (!fork.TryCopy(current!, current!.Length))
            throw new UnsupportedModelException("This graph's cache cannot be copied on the device: ask for one continuation at a time, or use the provider cpu.");
    }

    /// <summary>Appends one token to each copy; <see cref="Logits"/> then has what follows.</summary>
    public void Step(ReadOnlySpan<int> tokens, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        (last = step).Run(fork!, tokens, ct);
    }

    /// <summary>Logits after the last token of a copy; valid until the next call.</summary>
    public ReadOnlySpan<float> Logits(int copy) => last.LastLogits(copy);

    /// <summary>Adds an adapter to every step from now on; null takes it away. Keys and values that the model before computed are forgotten.</summary>
    public void UseAdapter(string? adapterFile)
    {
        // Both are read before either is used, so that a file that fits one graph only changes nothing.
        var values = step.ReadAdapter(adapterFile);
        if (prefill != step)
            try
            {
                prefill.UseAdapter(prefill.ReadAdapter(adapterFile));
            }
            catch
            {
                values?.Dispose();
                throw;
            }
        step.UseAdapter(values);
        EndFork();
        current = null;
        prefixes.Clear();
    }

    private void EndFork()
    {
        if (fork is null)
            return;
        Release(fork);
        fork.Dispose();
        fork = null;
    }

    private void Release(KeyValueCache cache)
    {
        step.Release(cache);
        prefill.Release(cache);
    }

    public void Dispose()
    {
        EndFork();
        step.Dispose();
        if (prefill != step)
            prefill.Dispose();
        prefixes.Dispose();
    }
}
