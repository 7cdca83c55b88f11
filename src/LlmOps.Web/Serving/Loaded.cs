using System.Runtime.ExceptionServices;

namespace LlmOps.Web.Serving;

/// <summary>
/// Keeps a few costly things open, by the digest of what they are made of. What is borrowed is never closed under its user; when
/// more are open than wanted, the one that nobody has used for longest goes.
/// </summary>
public sealed class Loaded<T>(int most, Func<string, CancellationToken, Task<T>> open, TimeProvider time) : IDisposable where T : class, IDisposable
{
    private sealed class Entry
    {
        public required Lazy<Task<T>> Opening { get; init; }
        public int Users { get; set; }
        public long LastUsed { get; set; }
        public bool Retired { get; set; }
    }

    public sealed class Lease(T value, Action giveBack) : IDisposable
    {
        private Action? giveBack = giveBack;
        public T Value { get; } = value;
        public void Dispose() => Interlocked.Exchange(ref giveBack, null)?.Invoke();
    }

    private readonly Dictionary<string, Entry> entries = [];
    private readonly Lock gate = new();

    public IReadOnlyList<string> Digests { get { lock (gate) return [.. entries.Keys]; } }

    public async Task<Lease> BorrowAsync(string digest, CancellationToken ct)
    {
        Entry entry;
        lock (gate)
        {
            if (!entries.TryGetValue(digest, out entry!))
                // Not the caller's token: others wait for the same opening.
                entries[digest] = entry = new() { Opening = new(() => Task.Run(() => open(digest, CancellationToken.None))) };
            entry.Users++;
            entry.LastUsed = time.GetTimestamp();
        }
        try
        {
            var value = await entry.Opening.Value.WaitAsync(ct);
            Trim();
            return new(value, () => GiveBack(entry));
        }
        catch (Exception e)
        {
            // What could not be opened is tried again by the next caller.
            if (entry.Opening.Value.IsFaulted)
                lock (gate)
                    if (entries.GetValueOrDefault(digest) == entry)
                        entries.Remove(digest);
            GiveBack(entry);
            ExceptionDispatchInfo.Throw(e);
            throw;
        }
    }

    /// <summary>Closes what is not among these, now or when its last user gives it back.</summary>
    public void Keep(IReadOnlySet<string> digests)
    {
        lock (gate)
            foreach (var digest in entries.Keys.Where(d => !digests.Contains(d)).ToList())
                Retire(digest);
    }

    public void Dispose() => Keep(new HashSet<string>());

    private void Trim()
    {
        lock (gate)
            foreach (var digest in entries.Where(e => e.Value.Users == 0).OrderBy(e => e.Value.LastUsed).Select(e => e.Key).Take(Math.Max(0, entries.Count - most)).ToList())
                Retire(digest);
    }

    private void GiveBack(Entry entry)
    {
        lock (gate)
        {
            entry.Users--;
            entry.LastUsed = time.GetTimestamp();
            if (entry is { Retired: true, Users: 0 })
                Close(entry);
        }
    }

    private void Retire(string digest)
    {
        if (!entries.Remove(digest, out var entry))
            return;
        entry.Retired = true;
        if (entry.Users == 0)
            Close(entry);
    }

    private static void Close(Entry entry)
    {
        if (entry.Opening.Value.IsCompletedSuccessfully)
            entry.Opening.Value.Result.Dispose();
    }
}
