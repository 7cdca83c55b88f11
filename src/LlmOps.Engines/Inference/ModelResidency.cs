using System.Runtime.ExceptionServices;

namespace LlmOps.Engines.Inference;

/// <summary>What a <see cref="ModelResidency{T}"/> has done and holds.</summary>
/// <param name="Hits">Borrowings of what was loaded, or being loaded, already.</param>
/// <param name="Loads">Times that something was loaded, reloads included.</param>
/// <param name="Evictions">Times that something was closed to make room.</param>
/// <param name="Waits">Borrowings that had to wait for others to give back.</param>
/// <param name="Models">Loaded now.</param>
/// <param name="Bytes">Memory of what is loaded now.</param>
public sealed record ResidencyCounters(long Hits, long Loads, long Evictions, long Waits, int Models, long Bytes);

/// <summary>
/// Keeps costly things loaded within a bound of memory. What is borrowed is never closed under its user; what nobody has used for longest goes first,
/// and is loaded again when it is wanted again. Requests for the same key at the same time load it once. Where what is in use leaves no room, a
/// borrowing waits: so a caller holds one lease at a time. Safe to use from many threads.
/// </summary>
/// <typeparam name="T">A generator, an index, or what wraps them.</typeparam>
public sealed class ModelResidency<T> : IDisposable where T : class, IDisposable
{
    private sealed class Entry
    {
        public required Lazy<Task<T>> Loading { get; init; }
        public int Users { get; set; } = 1;
        public long LastUsed { get; set; }
        public long Bytes { get; set; }
        public bool Retired { get; set; }
    }

    /// <summary>Something borrowed; disposing gives it back.</summary>
    public sealed class Lease : IDisposable
    {
        private Action? giveBack;

        internal Lease(T value, Action giveBack) => (Value, this.giveBack) = (value, giveBack);

        /// <summary>What was borrowed.</summary>
        public T Value { get; }

        /// <summary>Gives it back; a second time does nothing.</summary>
        public void Dispose() => Interlocked.Exchange(ref giveBack, null)?.Invoke();
    }

    private readonly Func<string, CancellationToken, Task<T>> load;
    private readonly Dictionary<string, Entry> entries = [];
    private readonly Lock gate = new();
    private TaskCompletionSource room = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long hits, loads, evictions, waits, clock, retiredBytes;

    /// <summary>Starts with nothing loaded.</summary>
    /// <param name="load">Loads what a key means; what it throws goes to those who wait for it, and the next borrowing tries again.</param>
    public ModelResidency(Func<string, CancellationToken, Task<T>> load) => this.load = load;

    /// <summary>Most bytes loaded at once.</summary>
    public long MostBytes { get; init; } = long.MaxValue;

    /// <summary>Most things loaded at once, unless more are in use.</summary>
    public int MostModels { get; init; } = int.MaxValue;

    /// <summary>Says before loading how many bytes a key will need, so that room is made first; null makes it afterwards.</summary>
    public Func<string, long>? Declare { get; init; }

    /// <summary>Says how many bytes something loaded holds, asked after loading and at each giving back; null takes what was declared.</summary>
    public Func<T, long>? Measure { get; init; }

    /// <summary>What is loaded, or being loaded.</summary>
    public IReadOnlyList<string> Keys { get { lock (gate) return [.. entries.Keys]; } }

    /// <summary>What was done so far.</summary>
    public ResidencyCounters Counters { get { lock (gate) return new(hits, loads, evictions, waits, entries.Count, Bytes); } }

    private long Bytes => retiredBytes + entries.Values.Sum(e => e.Bytes);

    /// <summary>Loads what the key means, or takes what is loaded.</summary>
    /// <param name="key">A folder or a digest.</param>
    /// <param name="ct">Gives up waiting; a loading under way goes on for others.</param>
    /// <exception cref="ArgumentException">It needs more bytes than are allowed for all.</exception>
    public async Task<Lease> BorrowAsync(string key, CancellationToken ct = default)
    {
        var declared = Declare?.Invoke(key) ?? 0;
        if (declared > MostBytes)
            throw new ArgumentException($"'{key}' needs {declared >> 20} MiB; all loaded models together may take {MostBytes >> 20} MiB.", nameof(key));
        var waited = false;
        while (true)
        {
            Entry? entry;
            Task given;
            lock (gate)
            {
                (entry, given) = (TakeOrStart(key, declared), room.Task);
                waits += entry is null && !waited ? 1 : 0;
            }
            if (entry is not null)
                return await AfterLoading(key, entry, ct);
            waited = true;
            await given.WaitAsync(ct);
        }
    }

    // Null when what is in use leaves no room.
    private Entry? TakeOrStart(string key, long declared)
    {
        if (entries.TryGetValue(key, out var entry))
        {
            hits++;
            entry.Users++;
        }
        else
        {
            MakeRoom(declared, 1);
            if (declared > MostBytes - Bytes)
                return null;
            loads++;
            // Not the caller's token: others wait for the same loading.
            entries[key] = entry = new() { Loading = new(() => Task.Run(() => load(key, CancellationToken.None))), Bytes = declared };
        }
        entry.LastUsed = ++clock;
        return entry;
    }

    private async Task<Lease> AfterLoading(string key, Entry entry, CancellationToken ct)
    {
        try
        {
            var value = await entry.Loading.Value.WaitAsync(ct);
            lock (gate)
            {
                entry.Bytes = Measure?.Invoke(value) ?? entry.Bytes;
                MakeRoom(0, 0);
            }
            return new(value, () => GiveBack(entry));
        }
        catch (Exception e)
        {
            lock (gate)
                if (entry.Loading.Value.IsFaulted && entries.GetValueOrDefault(key) == entry)
                    entries.Remove(key);
            GiveBack(entry);
            ExceptionDispatchInfo.Throw(e);
            throw;
        }
    }

    /// <summary>Closes what is not among these, now or when its last user gives it back.</summary>
    public void Keep(IReadOnlySet<string> keys)
    {
        lock (gate)
        {
            foreach (var key in entries.Keys.Where(k => !keys.Contains(k)).ToList())
                Retire(key);
            Announce();
        }
    }

    /// <summary>Closes everything, now or when its last user gives it back.</summary>
    public void Dispose() => Keep(new HashSet<string>());

    private void MakeRoom(long bytes, int models)
    {
        // Alone it may grow past the bound: closing it after every use would help nobody.
        while (entries.Count + models > 1 && (bytes > MostBytes - Bytes || entries.Count + models > MostModels) && entries.Where(e => e.Value.Users == 0).OrderBy(e => e.Value.LastUsed).Select(e => e.Key).FirstOrDefault() is { } oldest)
        {
            evictions++;
            Retire(oldest);
        }
    }

    private void GiveBack(Entry entry)
    {
        lock (gate)
        {
            entry.Users--;
            entry.LastUsed = ++clock;
            if (entry is { Retired: true, Users: 0 })
            {
                retiredBytes -= entry.Bytes;
                Close(entry);
            }
            else if (!entry.Retired && entry.Loading.Value.IsCompletedSuccessfully)
            {
                // A generator's caches grow while it is used.
                entry.Bytes = Measure?.Invoke(entry.Loading.Value.Result) ?? entry.Bytes;
            }
            MakeRoom(0, 0);
            Announce();
        }
    }

    private void Announce()
    {
        room.SetResult();
        room = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private void Retire(string key)
    {
        if (!entries.Remove(key, out var entry))
            return;
        entry.Retired = true;
        if (entry.Users == 0)
            Close(entry);
        else
            retiredBytes += entry.Bytes;
    }

    private static void Close(Entry entry)
    {
        if (entry.Loading.Value.IsCompletedSuccessfully)
            entry.Loading.Value.Result.Dispose();
    }
}
