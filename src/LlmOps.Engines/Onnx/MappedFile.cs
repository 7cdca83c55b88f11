using System.Buffers;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace LlmOps.Engines.Onnx;

/// <summary>A file in memory that the kernel pages in and out as it is read. After <see cref="Dispose"/> its parts throw instead of reading freed memory.</summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedViewAccessor view;
    private readonly byte* start;
    private bool disposed;

    public MappedFile(string path)
    {
        // Opened once and measured through the handle: what the name points to may change meanwhile.
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        Length = stream.Length;
        using var file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        start += view.PointerOffset;
    }

    public long Length { get; }

    public ReadOnlySpan<byte> Span(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - length);
        return new(start + offset, length);
    }

    /// <summary>Takes a part out of this process's memory, where the system can; reading it again pages it in again. A pass over a large file then needs no more than the part at hand.</summary>
    public void Forget(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (!OperatingSystem.IsLinux())
            return;
        nuint page = (nuint)Environment.SystemPageSize, first = ((nuint)start + (nuint)offset + page - 1) / page * page, end = ((nuint)start + (nuint)(offset + length)) / page * page;
        if (end > first)
            _ = Advise((void*)first, end - first, DontNeed); // advice only: a refusal changes nothing but memory
    }

    private const int DontNeed = 4;

    [DllImport("libc", EntryPoint = "madvise", ExactSpelling = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int Advise(void* address, nuint length, int advice);

    public ReadOnlyMemory<byte> Memory(long offset, int length) => new Part(this, offset, length).Memory;

    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
    }

    private sealed class Part(MappedFile file, long offset, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan()
        {
            ObjectDisposedException.ThrowIf(file.disposed, file);
            return new(file.start + offset, length);
        }

        public override MemoryHandle Pin(int elementIndex = 0) => new(file.start + offset + elementIndex);
        public override void Unpin() { }
        protected override void Dispose(bool disposing) { }
    }
}
