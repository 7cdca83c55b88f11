using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Artifacts;

/// <param name="Digest">What was answered when the part was sent.</param>
public sealed record SentPart(int Number, string Digest);

/// <summary>
/// Large files in parts, which may come at the same moment and in any order. Nothing can be read under the path before the last step, and that is the same as for a file that
/// comes in one piece: the bytes are joined into the store, then the path names them. A process that ends in between leaves parts that can still be joined, or are
/// deleted after <see cref="Lifetime"/>.
/// </summary>
public sealed class UploadInParts(PartFolders folders, LoggedFiles files, ArtifactStore store, TimeProvider time)
{
    public const int MostParts = 10_000;
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);

    public async Task<PartedUpload> BeginAsync(ArtifactPath path, long parts, CancellationToken ct = default)
    {
        if (parts is < 1 or > MostParts)
            throw LlmOpsException.Invalid($"Invalid value {parts} for parameter 'num_parts' supplied: a file has 1 to {MostParts} parts. Make the parts larger.");
        var upload = new PartedUpload(Guid.NewGuid().ToString("N"), LoggedFiles.Writable(path).Full, (int)parts, time.GetUtcNow());
        await folders.CreateAsync(upload, ct);
        return upload;
    }

    /// <summary>The digest of the part, after it is on the disk. A part may be sent again.</summary>
    public async Task<string> PutAsync(string uploadId, int part, Stream content, CancellationToken ct = default)
    {
        var upload = Known(uploadId);
        if (part < 1 || part > upload.Parts)
            throw LlmOpsException.Invalid($"This upload has the parts 1 to {upload.Parts}, and no part {part}.");
        return folders.FindJoined(upload.Id) is null ? await folders.PutAsync(upload.Id, part, content, ct) : throw AlreadyJoined();
    }

    /// <summary>Joins the parts. The same call again is a success that changes nothing.</summary>
    public async Task CompleteAsync(ArtifactPath path, string? uploadId, IReadOnlyList<SentPart> parts, CancellationToken ct = default)
    {
        var upload = Known(uploadId, path);
        EnsureComplete(upload, parts);
        using var turn = await folders.TakeTurnAsync(upload.Id, ct);
        List<string> digests = [.. parts.Select(p => p.Digest)];
        if (folders.FindJoined(upload.Id) is { } joined)
        {
            if (joined != PartFolders.Fingerprint(digests))
                throw AlreadyJoined();
            return;
        }
        if (parts.FirstOrDefault(p => !folders.Has(upload.Id, p.Number, p.Digest)) is { } missing)
            throw LlmOpsException.Invalid($"Part {missing.Number} was not sent with the ETag '{TrackingKeys.Shown(missing.Digest)}'. Send the part again, and complete the upload with the ETag of that answer.");
        await using (var content = folders.Join(upload.Id, digests))
            await files.PutAsync(path, content, ct);
        // A crash before this line: the file is there, the parts too, and the same call again stores the same bytes.
        folders.MarkJoined(upload.Id, digests);
    }

    public async Task AbortAsync(ArtifactPath path, string? uploadId, CancellationToken ct = default)
    {
        var upload = Known(uploadId, path);
        using var turn = await folders.TakeTurnAsync(upload.Id, ct);
        if (folders.FindJoined(upload.Id) is not null)
            throw AlreadyJoined();
        folders.Delete(upload.Id);
    }

    /// <summary>Uploads that nobody finished, and the traces of those that somebody did.</summary>
    public async Task DeleteOldAsync(CancellationToken ct = default)
    {
        var before = time.GetUtcNow() - Lifetime;
        foreach (var upload in folders.Older(before))
        {
            using var turn = await folders.TakeTurnAsync(upload.Id, ct);
            folders.Delete(upload.Id);
        }
        folders.DeleteLeftovers(before);
        store.DeleteLeftovers(before);
    }

    private PartedUpload Known(string? id, ArtifactPath? path = null)
    {
        var upload = folders.Find(id);
        return upload is not null && (path is null || upload.Path == path.Full) && time.GetUtcNow() - upload.At <= Lifetime ? upload : throw PartFolders.Gone(id);
    }

    private static void EnsureComplete(PartedUpload upload, IReadOnlyList<SentPart> parts)
    {
        for (var i = 0; i < Math.Max(parts.Count, upload.Parts); i++)
        {
            if (i >= parts.Count)
                throw LlmOpsException.Invalid($"Part {i + 1} of {upload.Parts} is missing. An upload is completed with all its parts, in their order.");
            if (parts[i].Number != i + 1 || i >= upload.Parts)
                throw LlmOpsException.Invalid($"Entry {i + 1} of 'parts' is part {parts[i].Number}. The parts of this upload are 1 to {upload.Parts}, each once and in their order.");
        }
    }

    private static LlmOpsException AlreadyJoined() => new(ErrorCode.ResourceConflict, "This upload was completed already. Begin another one to replace the file, or delete the file.");
}
