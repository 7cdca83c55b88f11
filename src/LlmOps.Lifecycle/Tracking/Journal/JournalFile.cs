using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LlmOps.Lifecycle.Tracking.Journal;

/// <summary>
/// A file of records that is written from its beginning again and again. Its first eight bytes are its generation; records of an earlier one that still lie behind the
/// newest are not read. Writing over what is there already lets the disk be asked for the data alone, without the file's length.
/// </summary>
internal sealed class JournalFile : IDisposable
{
    private const int Begin = 8;
    private readonly SafeFileHandle handle;
    private long generation;

    private JournalFile(SafeFileHandle handle, string path) => (this.handle, Path) = (handle, path);

    public string Path { get; }

    /// <summary>Bytes that count.</summary>
    public long Length { get; private set; } = Begin;

    /// <summary>Null when another process has it. The lock goes with the process, however that ends.</summary>
    public static JournalFile? TryOpen(string path)
    {
        try
        {
            return new(File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None), path);
        }
        catch (IOException) when (File.Exists(path))
        {
            return null;
        }
    }

    /// <summary>What a process that ended has left here.</summary>
    public List<LoggedPoints> Read()
    {
        var found = new List<LoggedPoints>();
        var bytes = new byte[RandomAccess.GetLength(handle)];
        for (int read, at = 0; at < bytes.Length && (read = RandomAccess.Read(handle, bytes.AsSpan(at), at)) > 0; at += read) { }
        if (bytes.Length < Begin)
        {
            Restart();
            return found;
        }
        generation = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        ReadOnlySpan<byte> rest = bytes.AsSpan(Begin);
        while (JournalRecord.Read(ref rest, generation) is { } points)
            found.Add(points);
        Length = bytes.Length - rest.Length;
        return found;
    }

    /// <summary>Returns when the disk has it.</summary>
    public void Append(byte[] buffer, int length, ReadOnlySpan<int> records)
    {
        var at = 0;
        foreach (var record in records)
        {
            JournalRecord.Seal(buffer.AsSpan(at, record), generation);
            at += record;
        }
        RandomAccess.Write(handle, buffer.AsSpan(0, length), Length);
        Flush();
        Length += length;
    }

    /// <summary>
    /// Everything in it is in the database. A crash that undoes this does no harm: what is written to the database a second time is left out there.
    /// </summary>
    public void Restart()
    {
        Span<byte> head = stackalloc byte[Begin];
        BinaryPrimitives.WriteInt64LittleEndian(head, ++generation);
        RandomAccess.Write(handle, head, 0);
        Length = Begin;
    }

    /// <summary>
    /// Everything in it is in the database, and this process writes nothing more to it. The file stays: deleting it would take it from under a process that opens it in this moment.
    /// </summary>
    public void Empty()
    {
        RandomAccess.SetLength(handle, 0);
        Dispose();
    }

    private void Flush()
    {
        if (!OperatingSystem.IsLinux())
            RandomAccess.FlushToDisk(handle);
        else if (DataSync(handle) != 0)
            throw new IOException($"The journal {Path} could not be written to the disk: error {Marshal.GetLastPInvokeError()}.");
    }

    public void Dispose() => handle.Dispose();

    [DllImport("libc", EntryPoint = "fdatasync", ExactSpelling = true, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int DataSync(SafeFileHandle file);
}
