using System.Buffers;
using System.Globalization;
using System.Threading.Channels;

namespace LlmOps.Lifecycle.Tracking.Journal;

/// <summary>
/// Acknowledged points that are not in the database yet. Points that arrive while the disk is busy go to it together, in one write, and each caller hears of success when
/// the disk has them. One file is written while the other's points go to the database in bulk; then they change places. Each process has two files of its own in the
/// folder, held by a lock; what a process left behind that ended too early is read by the next one that opens the journal.
/// </summary>
/// <param name="folder">Made when the first point comes.</param>
/// <param name="most">Bytes of the file that is being written; the database has fallen far behind then.</param>
public sealed class PointJournal(string folder, long most = 64 << 20) : IAsyncDisposable
{
    private const long Many = 6 << 20;
    private const int MostAtOnce = 4 << 20, LongestQueue = 4096;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private readonly Channel<Waiting> queue = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(LongestQueue) { SingleReader = true });
    private readonly Lock files = new(), opening = new();
    private List<LoggedPoints> pending = [];
    private JournalFile? written, spare;
    private Task? writer;
    private Batch? current;
    // read by callers that must not wait for the disk, as whoever holds the lock does
    private volatile bool waits, full, many;
    private TaskCompletionSource room = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Called when points begin to wait for the database.</summary>
    internal Action Filled { get; set; } = () => { };

    /// <summary>What was sealed and is on its way into the database stays pending until it is there.</summary>
    internal bool HasPending => waits;

    /// <summary>Enough for one transaction: waiting longer would only make the next one longer.</summary>
    internal bool HasMany => many;

    /// <summary>Points were sealed and are not in the database yet; those that came since are not among them.</summary>
    internal bool HasSealed
    {
        get
        {
            lock (files)
                return current is not null;
        }
    }

    /// <param name="Orphans">Files of processes that are no more, held until their points are in the database: one that starts meanwhile must not take them for its own.</param>
    internal sealed record Batch(List<LoggedPoints> Points, IReadOnlyList<JournalFile> Orphans);

    /// <summary>Finds files of its own, and what was left in them and in those of processes that are no more.</summary>
    internal void Open()
    {
        lock (opening)
        {
            if (writer is not null)
                return;
            Directory.CreateDirectory(folder);
            List<LoggedPoints> left = [];
            for (var slot = 0; spare is null; slot++)
            {
                if (JournalFile.TryOpen(Name(slot, 'a')) is not { } first)
                    continue;
                if (JournalFile.TryOpen(Name(slot, 'b')) is not { } second)
                {
                    first.Dispose();        // somebody else reads what was left in that one
                    continue;
                }
                left.AddRange(first.Read());
                left.AddRange(second.Read());
                (written, spare) = (first, second);
            }
            var orphans = Adopt(left);
            if (left.Count > 0)
                (current, waits) = (new(left, orphans), true);
            writer = Task.Factory.StartNew(WriteAllAsync, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
        }
        if (waits)
            Filled();
    }

    private string Name(int slot, char half) => Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"points-{slot}{half}.journal"));

    private List<JournalFile> Adopt(List<LoggedPoints> left)
    {
        var held = new List<JournalFile>();
        foreach (var path in Directory.EnumerateFiles(folder, "points-*.journal").Where(p => p != written!.Path && p != spare!.Path))
            if (JournalFile.TryOpen(path) is { } file)
            {
                var found = file.Read();
                left.AddRange(found);
                if (found.Count > 0)
                    held.Add(file);
                else
                    file.Dispose();
            }
        return held;
    }

    /// <summary>Returns when the disk has the points.</summary>
    /// <exception cref="LlmOpsException">The database has not kept up for seconds.</exception>
    internal async Task AppendAsync(LoggedPoints points, CancellationToken ct)
    {
        Open();
        await RoomAsync(ct);
        var (rented, length) = JournalRecord.Write(points);
        var waiting = new Waiting(points, rented, length);
        try
        {
            await queue.Writer.WriteAsync(waiting, ct);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(rented);
            throw;
        }
        // A caller that goes away does not take its points with it: they may be on the disk.
        await waiting.Done.Task;
    }

    private async Task RoomAsync(CancellationToken ct)
    {
        for (var wait = true; full; wait = false)
        {
            var later = room.Task;
            if (!full)
                return;
            if (!wait)
                throw new LlmOpsException(ErrorCode.TemporarilyUnavailable, "The database does not keep up with what is being logged. Nothing of this request was stored: send it again in a second.");
            await Task.WhenAny(later, Task.Delay(Longest, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    private async Task WriteAllAsync()
    {
        var (group, lengths, buffer) = (new List<Waiting>(), new List<int>(), new byte[64 << 10]);
        while (await queue.Reader.WaitToReadAsync())
        {
            var length = 0;
            while (length < MostAtOnce && queue.Reader.TryRead(out var next))
            {
                if (length + next.Length > buffer.Length)
                    Array.Resize(ref buffer, Math.Max(2 * buffer.Length, length + next.Length));
                next.Record.AsSpan(0, next.Length).CopyTo(buffer.AsSpan(length));
                ArrayPool<byte>.Shared.Return(next.Record);
                length += next.Length;
                lengths.Add(next.Length);
                group.Add(next);
            }
            Write(group, lengths, buffer, length);
            group.Clear();
            lengths.Clear();
        }
    }

    private void Write(List<Waiting> group, List<int> lengths, byte[] buffer, int length)
    {
        Exception? failure = null;
        var filled = false;
        try
        {
            lock (files)
            {
                written!.Append(buffer, length, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(lengths));
                filled = pending.Count == 0;
                pending.AddRange(group.Select(w => w.Points));
                (waits, full, many) = (true, written.Length >= most, written.Length >= Many);
            }
        }
        catch (Exception e)
        {
            failure = e;
        }
        foreach (var waiting in group)
            if (failure is null)
                waiting.Done.SetResult();
            else
                waiting.Done.SetException(failure);
        if (filled)
            Filled();
    }

    /// <summary>The points that wait, until <see cref="Release"/>; new ones go to the other file. The same again while it is not released.</summary>
    internal Batch? Seal()
    {
        lock (files)
        {
            if (current is null && pending.Count > 0)
            {
                current = new(pending, []);
                pending = [];
                (written, spare) = (spare, written);
                full = many = false;
                room.TrySetResult();
                room = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
            return current;
        }
    }

    /// <summary>The sealed points are in the database.</summary>
    internal void Release()
    {
        lock (files)
        {
            foreach (var orphan in current!.Orphans)
                orphan.Empty();
            spare!.Restart();
            // After a start what was left lies in both files, and nothing new in either before this.
            if (pending.Count == 0)
                written!.Restart();
            current = null;
            waits = pending.Count > 0;
        }
    }

    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        if (writer is { } running)
            await running;
        foreach (var orphan in current?.Orphans ?? [])
            orphan.Dispose();
        written?.Dispose();
        spare?.Dispose();
    }

    private sealed record Waiting(LoggedPoints Points, byte[] Record, int Length)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
