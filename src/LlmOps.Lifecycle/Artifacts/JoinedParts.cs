using System.Security.Cryptography;

namespace LlmOps.Lifecycle.Artifacts;

/// <summary>Files one after the other, one of them open at a time. It is read once, from beginning to end: the rest of what a stream can do is refused, as CanSeek and CanWrite say. Each is held against its digest as it is read: bytes that changed on the disk become no part of anything.</summary>
internal sealed class JoinedParts(IReadOnlyList<(string Path, string Digest)> parts) : Stream
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private FileStream? open;
    private int next;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (open is not null || next < parts.Count)
        {
            open ??= new FileStream(parts[next].Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
            var read = await open.ReadAsync(buffer, cancellationToken);
            if (read > 0)
            {
                hash.AppendData(buffer.Span[..read]);
                return read;
            }
            await open.DisposeAsync();
            open = null;
            if (Convert.ToHexStringLower(hash.GetHashAndReset()) != parts[next].Digest)
                throw new LlmOpsException(ErrorCode.InternalError, $"Part {next + 1} has other bytes than were sent: the disk of the data folder is damaged. Nothing was stored.");
            next++;
        }
        return 0;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            open?.Dispose();
            hash.Dispose();
        }
        base.Dispose(disposing);
    }
}
