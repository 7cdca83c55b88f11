using System.Buffers;
using System.IO.MemoryMappedFiles;

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
