using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Artifacts;

public sealed record ArtifactFile(string Path, string Digest, long SizeBytes);

/// <summary>A stored folder: its files in order of path. The digest of this list is the digest of the artifact.</summary>
public sealed record ArtifactManifest(IReadOnlyList<ArtifactFile> Files)
{
    public long SizeBytes => Files.Sum(f => f.SizeBytes);
}

public sealed record StoredArtifact(string Digest, ArtifactManifest Manifest)
{
    public long SizeBytes => Manifest.SizeBytes;
}

/// <summary>
/// Content-addressed files in a folder: every blob is named by its SHA-256, so storing the same bytes twice is a success that adds
/// nothing, and a reader can always prove what it reads. Safe for several processes on one file system.
/// </summary>
public sealed class ArtifactStore
{
    private readonly string root;

    public ArtifactStore(string folder)
    {
        root = Path.GetFullPath(folder);
        Directory.CreateDirectory(Path.Combine(root, "blobs"));
        Directory.CreateDirectory(Path.Combine(root, "folders"));
        Directory.CreateDirectory(Path.Combine(root, "incoming"));
    }

    public async Task<StoredArtifact> PutFolderAsync(string folder, CancellationToken ct = default)
    {
        var files = new List<ArtifactFile>();
        foreach (var path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            await using var source = File.OpenRead(path);
            var (digest, size) = await PutAsync(source, ct);
            files.Add(new ArtifactFile(Path.GetRelativePath(folder, path).Replace('\\', '/'), digest, size));
        }
        if (files.Count == 0)
            throw new InvalidOperationException($"Nothing to store: {Path.GetFileName(folder)} holds no file.");
        return await PutManifestAsync(files, ct);
    }

    /// <summary>An artifact of files that are in the store already.</summary>
    public async Task<StoredArtifact> PutManifestAsync(IEnumerable<ArtifactFile> files, CancellationToken ct = default)
    {
        var manifest = new ArtifactManifest([.. files.OrderBy(f => f.Path, StringComparer.Ordinal)]);
        using var json = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(Json.Write(manifest)));
        var (manifestDigest, _) = await PutAsync(json, ct);
        return new StoredArtifact(manifestDigest, manifest);
    }

    public async Task<ArtifactManifest> ManifestAsync(string digest, CancellationToken ct = default)
    {
        var path = BlobPath(digest);
        if (!File.Exists(path))
            throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Artifact {digest[..12]} is not in the store. Was the data folder moved or cleaned?");
        return Json.Read<ArtifactManifest>(await File.ReadAllTextAsync(path, ct));
    }

    /// <summary>The same, after its own digest was worked out again: what is signed must not rest on a list that was edited.</summary>
    public async Task<ArtifactManifest> VerifiedManifestAsync(string digest, CancellationToken ct = default)
    {
        var path = BlobPath(digest);
        if (File.Exists(path))
        {
            await using var blob = File.OpenRead(path);
            if (Convert.ToHexStringLower(await SHA256.HashDataAsync(blob, ct)) != digest)
                throw new LlmOpsException(ErrorCode.InternalError, $"The list of files of artifact {digest[..12]} has other bytes than its name says: the store is damaged.");
        }
        return await ManifestAsync(digest, ct);
    }

    /// <summary>A read-only folder with the artifact's files. Made once, shared by all readers; never write into it.</summary>
    public async Task<string> FolderAsync(string digest, CancellationToken ct = default)
    {
        var target = Path.Combine(root, "folders", Checked(digest));
        if (Directory.Exists(target))
            return target;
        var manifest = await ManifestAsync(digest, ct);
        var incoming = Path.Combine(root, "incoming", Guid.NewGuid().ToString("N"));
        try
        {
            foreach (var file in manifest.Files)
            {
                var path = PathWithin(incoming, file.Path);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await CopyVerifiedAsync(file, path, ct);
            }
            Directory.Move(incoming, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            // another reader was first: its folder has the same bytes
        }
        finally
        {
            if (Directory.Exists(incoming))
                Directory.Delete(incoming, recursive: true);
        }
        return target;
    }

    public Stream OpenFile(ArtifactFile file) => File.OpenRead(BlobPath(file.Digest));

    /// <summary>Stores one file; it is there, whole and on the disk, when this returns.</summary>
    public async Task<(string Digest, long Size)> PutAsync(Stream source, CancellationToken ct = default)
    {
        var incoming = Path.Combine(root, "incoming", Guid.NewGuid().ToString("N"));
        try
        {
            var (digest, size) = await WriteAsync(incoming, source, ct);
            var path = BlobPath(digest);
            // A crash before the move leaves only a file in incoming/, which nothing refers to; after it the blob is whole.
            if (!File.Exists(path))
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                File.Move(incoming, path, overwrite: true);
            }
            return (digest, size);
        }
        finally
        {
            File.Delete(incoming);
        }
    }

    /// <summary>A new file with these bytes; whole and on the disk when this returns.</summary>
    internal static async Task<(string Digest, long Size)> WriteAsync(string path, Stream source, CancellationToken ct)
    {
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            long size = 0;
            await using (var target = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                var buffer = new byte[1 << 16];
                int read;
                while ((read = await source.ReadAsync(buffer, ct)) > 0)
                {
                    hash.AppendData(buffer, 0, read);
                    await target.WriteAsync(buffer.AsMemory(0, read), ct);
                    size += read;
                }
                target.Flush(flushToDisk: true);
            }
            return (Convert.ToHexStringLower(hash.GetHashAndReset()), size);
        }
        catch (IOException e) when (IsDiskFull(e))
        {
            throw new LlmOpsException(ErrorCode.ResourceExhausted, "The disk that holds the data folder is full. Free some space or set Data:Folder to another disk, then run this again.", e);
        }
    }

    /// <summary>Takes away what processes left behind that ended while they were storing something.</summary>
    public void DeleteLeftovers(DateTimeOffset before)
    {
        foreach (var file in new DirectoryInfo(Path.Combine(root, "incoming")).EnumerateFiles().Where(f => f.LastWriteTimeUtc < before.UtcDateTime))
            file.Delete();
    }

    private async Task CopyVerifiedAsync(ArtifactFile file, string path, CancellationToken ct)
    {
        await using var source = File.OpenRead(BlobPath(file.Digest));
        await using var target = File.Create(path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 16];
        int read;
        while ((read = await source.ReadAsync(buffer, ct)) > 0)
        {
            hash.AppendData(buffer, 0, read);
            await target.WriteAsync(buffer.AsMemory(0, read), ct);
        }
        // Bytes that changed on disk must not be served as the version somebody approved.
        if (Convert.ToHexStringLower(hash.GetHashAndReset()) != file.Digest)
            throw new InvalidOperationException($"Artifact file {file.Path} has other bytes than its manifest says: the store is damaged.");
    }

    public static bool IsDiskFull(IOException exception) =>
        (exception.HResult & 0xFFFF) is 28 or 112 || exception.Message.Contains("No space left", StringComparison.Ordinal);

    private string BlobPath(string digest) => Path.Combine(root, "blobs", Checked(digest)[..2], digest);

    private static string Checked(string digest) =>
        digest.Length == 64 && digest.All(char.IsAsciiHexDigitLower)
            ? digest
            : throw LlmOpsException.Invalid("An artifact digest is 64 lower-case hexadecimal digits.");

    private static string PathWithin(string folder, string relative)
    {
        var path = Path.GetFullPath(Path.Combine(folder, relative));
        return path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? path
            : throw LlmOpsException.Invalid($"'{relative}' leads out of the artifact folder.");
    }
}
