using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Microsoft.Win32.SafeHandles;

namespace LlmOps.Engines.Onnx;

/// <summary>A new file that is written by a thread of its own, so that the next tensor is computed while the last one goes to disk. An error of the disk comes up at the next call.</summary>
internal sealed class WriteBehindFile : Stream
{
    private const int BufferBytes = 4 << 20, Buffers = 8;
    // The system would let hundreds of megabytes pile up in memory, and all of them would have to wait for the disk at the end.
    private const int SyncBytes = 64 << 20;
    private readonly SafeFileHandle handle;
    private readonly BlockingCollection<byte[]> free = [];
    private readonly BlockingCollection<(byte[] Bytes, int Count, long Offset)> full = [];
    private readonly Thread thread;
    private readonly SemaphoreSlim drained = new(0);
    private ExceptionDispatchInfo? failure;
    private byte[] current = new byte[BufferBytes];
    private long sent;
    private int used;
    private bool disposed;

    public WriteBehindFile(string path, FileMode mode = FileMode.CreateNew)
    {
        handle = File.OpenHandle(path, mode, FileAccess.Write, FileShare.None);
        for (var i = 1; i < Buffers; i++)
            free.Add(new byte[BufferBytes]);
        thread = new Thread(WriteAll) { IsBackground = true, Name = nameof(WriteBehindFile) };
        thread.Start();
    }

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => Position;

    public override long Position
    {
        get => sent + used;
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var part = Math.Min(buffer.Length, BufferBytes - used);
            buffer[..part].CopyTo(current.AsSpan(used));
            used += part;
            buffer = buffer[part..];
            if (used == BufferBytes)
                Send();
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Waits until everything is on the disk.</summary>
    public void FlushToDisk()
    {
        Flush();
        RandomAccess.FlushToDisk(handle);
    }

    public override void Flush()
    {
        if (used > 0)
            Send();
        full.Add(([], 0, 0));
        drained.Wait();
        failure?.Throw();
    }

    private void Send()
    {
        full.Add((current, used, sent));
        sent += used;
        used = 0;
        current = free.Take();
        failure?.Throw();
    }

    private void WriteAll()
    {
        foreach (var (bytes, count, offset) in full.GetConsumingEnumerable())
        {
            if (bytes.Length == 0)
            {
                drained.Release();
                continue;
            }
            try
            {
                if (failure is null)
                    RandomAccess.Write(handle, bytes.AsSpan(0, count), offset);
                if (failure is null && offset / SyncBytes != (offset + count) / SyncBytes)
                    RandomAccess.FlushToDisk(handle);
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
            free.Add(bytes);
        }
    }

    protected override void Dispose(bool disposing)
    {
        // What was not flushed belongs to a file that is given up.
        if (disposing && !disposed)
        {
            disposed = true;
            full.CompleteAdding();
            thread.Join();
            handle.Dispose();
            free.Dispose();
            full.Dispose();
            drained.Dispose();
        }
        base.Dispose(disposing);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
}
