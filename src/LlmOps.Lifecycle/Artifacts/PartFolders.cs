using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Artifacts;

/// <summary>A file that comes in parts.</summary>
/// <param name="Path">Where it will lie when all parts are joined.</param>
/// <param name="Parts">How many there will be, numbered from 1.</param>
public sealed record PartedUpload(string Id, string Path, int Parts, DateTimeOffset At);

/// <summary>
/// Parts that wait to be joined: a folder for each upload, which no path of an artifact can name. A part is a file whose name holds its number and its digest, put there by one
/// move: it is whole or not there. Safe for several processes on one file system.
/// </summary>
public sealed class PartFolders
{
    private const string Record = "upload.json", Joined = "joined", Turn = "turn", Making = "making-", Leaving = "leaving-";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private readonly string root;

    public PartFolders(string folder)
    {
        root = Path.GetFullPath(folder);
        Directory.CreateDirectory(root);
    }

    public async Task CreateAsync(PartedUpload upload, CancellationToken ct)
    {
        var making = Path.Combine(root, Making + upload.Id);
        Directory.CreateDirectory(making);
        await File.WriteAllTextAsync(Path.Combine(making, Record), Json.Write(upload), ct);
        await File.WriteAllBytesAsync(Path.Combine(making, Turn), [], ct);
        Directory.Move(making, FolderOf(upload.Id));
    }

    public PartedUpload? Find(string? id)
    {
        if (id is not { Length: 32 } || !id.All(char.IsAsciiHexDigitLower))
            return null;
        try
        {
            return Json.Read<PartedUpload>(File.ReadAllText(Path.Combine(FolderOf(id), Record)));
        }
        catch (Exception e) when (e is DirectoryNotFoundException or FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The digest of the bytes. A part that is sent again stands beside the one before: which of them is meant, joining says.</summary>
    public async Task<string> PutAsync(string id, int part, Stream content, CancellationToken ct)
    {
        var incoming = Path.Combine(FolderOf(id), Guid.NewGuid().ToString("N"));
        try
        {
            var (digest, _) = await ArtifactStore.WriteAsync(incoming, content, ct);
            File.Move(incoming, PartOf(id, part, digest), overwrite: true);
            return digest;
        }
        catch (Exception e) when (e is DirectoryNotFoundException or FileNotFoundException)
        {
            throw Gone(id);
        }
        finally
        {
            DeleteIfThere(incoming);
        }
    }

    /// <param name="id">Of an upload that is there.</param>
    /// <param name="part">From 1.</param>
    /// <param name="digest">As a client sent it: what is no digest names no file.</param>
    public bool Has(string id, int part, string digest) => digest.Length == 64 && digest.All(char.IsAsciiHexDigitLower) && File.Exists(PartOf(id, part, digest));

    /// <summary>The parts in this order as one stream, which is read once.</summary>
    public Stream Join(string id, IReadOnlyList<string> digests) => new JoinedParts([.. digests.Select((d, i) => (PartOf(id, i + 1, d), d))]);

    /// <summary>What was joined, where that is done; null before.</summary>
    public string? FindJoined(string id)
    {
        var path = Path.Combine(FolderOf(id), Joined);
        return File.Exists(path) ? File.ReadAllText(path) : null;
    }

    /// <summary>Remembers what was joined, for a client that did not hear the answer, and lets the parts go.</summary>
    public void MarkJoined(string id, IReadOnlyList<string> digests)
    {
        var folder = FolderOf(id);
        var marking = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        File.WriteAllText(marking, Fingerprint(digests));
        File.Move(marking, Path.Combine(folder, Joined), overwrite: true);
        foreach (var part in Directory.EnumerateFiles(folder, "?????-*"))
            File.Delete(part);
    }

    public static string Fingerprint(IReadOnlyList<string> digests) => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join(',', digests))));

    /// <summary>Waits until nobody else joins or deletes this upload. The file system keeps the turn, so that it ends with the process.</summary>
    public async Task<IDisposable> TakeTurnAsync(string id, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                var turn = new FileStream(Path.Combine(FolderOf(id), Turn), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
                if (File.Exists(Path.Combine(FolderOf(id), Record)))
                    return turn;
                await turn.DisposeAsync();
                throw Gone(id);
            }
            catch (Exception e) when (e is DirectoryNotFoundException or FileNotFoundException)
            {
                throw Gone(id);
            }
            catch (IOException)
            {
                await Task.Delay(Pause, ct);
            }
        }
    }

    public void Delete(string id)
    {
        // Renamed first: whoever still writes a part finds the folder gone instead of filling it while it is emptied.
        var leaving = Path.Combine(root, Leaving + Guid.NewGuid().ToString("N"));
        Directory.Move(FolderOf(id), leaving);
        Directory.Delete(leaving, recursive: true);
    }

    public IReadOnlyList<PartedUpload> Older(DateTimeOffset before) =>
        [.. Directory.EnumerateDirectories(root).Select(f => Find(Path.GetFileName(f))).OfType<PartedUpload>().Where(u => u.At < before)];

    /// <summary>What a process left behind that ended while it made or deleted an upload.</summary>
    public void DeleteLeftovers(DateTimeOffset before)
    {
        foreach (var folder in new DirectoryInfo(root).EnumerateDirectories().Where(f => (f.Name.StartsWith(Making, StringComparison.Ordinal) || f.Name.StartsWith(Leaving, StringComparison.Ordinal)) && f.LastWriteTimeUtc < before.UtcDateTime))
            folder.Delete(recursive: true);
    }

    private static void DeleteIfThere(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (DirectoryNotFoundException)
        {
            // the upload was aborted in the meantime, and took this with it
        }
    }

    internal static LlmOpsException Gone(string? id) => new(ErrorCode.ResourceDoesNotExist, $"There is no unfinished upload '{Tracking.TrackingKeys.Shown(id ?? "")}'. It was finished, aborted, or left for more than a day; begin another one.");

    private string FolderOf(string id) => Path.Combine(root, id);

    private string PartOf(string id, int part, string digest) => Path.Combine(FolderOf(id), string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{part:D5}-{digest}"));
}
