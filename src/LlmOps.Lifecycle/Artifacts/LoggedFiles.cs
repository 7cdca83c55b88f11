using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Artifacts;

/// <param name="Path">Relative to the folder that was listed.</param>
public sealed record ListedFile(string Path, bool IsFolder, long? SizeBytes);

public sealed record OpenedFile(Stream Content, string Digest, long SizeBytes, DateTimeOffset? At);

/// <summary>Files that clients keep here under paths of their own, and the files of registered versions, which are read the same way and never change.</summary>
public sealed class LoggedFiles(IDbContextFactory<LlmOpsDb> dbs, WriteGroups groups, ArtifactStore store, TimeProvider time)
{
    /// <summary>First part of the paths of registered versions: model-versions/name/number/file.</summary>
    public const string Versions = "model-versions";

    /// <summary>Replaces what is there. The bytes are on the disk before the path names them, so a path never names half a file.</summary>
    public async Task PutAsync(ArtifactPath path, Stream content, CancellationToken ct = default)
    {
        Writable(path);
        var (digest, size) = await store.PutAsync(content, ct);
        await groups.WriteAsync(async db =>
        {
            var now = time.GetUtcNow();
            if (await db.LoggedFiles.SingleOrDefaultAsync(f => f.Root == path.Root && f.Path == path.Path) is { } file)
                (file.Digest, file.SizeBytes, file.At) = (digest, size, now);
            else
                db.LoggedFiles.Add(new LoggedFile { Root = path.Root, Path = path.Path, Digest = digest, SizeBytes = size, At = now });
            await db.SaveChangesAsync();
            return true;
        }, ct);
    }

    public async Task<OpenedFile> OpenAsync(ArtifactPath path, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (await VersionAsync(db, path, ct) is var (manifest, inside))
            return manifest.Files.FirstOrDefault(f => f.Path == inside) is { } part ? new(store.OpenFile(part), part.Digest, part.SizeBytes, null) : throw NotFound(path);
        var file = await db.LoggedFiles.AsNoTracking().SingleOrDefaultAsync(f => f.Root == path.Root && f.Path == path.Path, ct) ?? throw NotFound(path);
        return new(store.OpenFile(new(file.Path, file.Digest, file.SizeBytes)), file.Digest, file.SizeBytes, file.At);
    }

    /// <summary>What lies directly in a folder, folders and files by name; empty for one that is not there.</summary>
    public async Task<IReadOnlyList<ListedFile>> ListAsync(ArtifactPath folder, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (await VersionAsync(db, folder, ct) is var (manifest, inside))
            return Children(manifest.Files.Select(f => (f.Path, f.SizeBytes)), inside);
        if (folder.Root.Length > 0)
            return Children((await FilesAsync(db, folder, ct)).Select(f => (f.Path, f.SizeBytes)), folder.Path);
        var roots = await db.LoggedFiles.AsNoTracking().Where(f => f.Root != "").Select(f => f.Root).Distinct().ToListAsync(ct);
        var loose = await FilesAsync(db, folder, ct);
        return Children(roots.Select(r => (r + "/", 0L)).Concat(loose.Select(f => (f.Path, f.SizeBytes))), folder.Path);
    }

    /// <summary>Takes away a file, or all files of a folder; everything outside of runs and models at once is none. What a registered version holds stays in that version.</summary>
    public async Task DeleteAsync(ArtifactPath path, CancellationToken ct = default)
    {
        Writable(path);
        if (path.Full.Length == 0)
            throw LlmOpsException.Invalid("A path is missing: name the file or the folder to delete.");
        var inside = path.Path + "/";
        // Not by StartsWith: in SQLite that takes a folder whose name differs in a capital for the same one.
        var gone = await groups.WriteAsync(db => db.LoggedFiles.Where(f => f.Root == path.Root && (path.Path == "" || f.Path == path.Path || f.Path.Substring(0, inside.Length) == inside)).ExecuteDeleteAsync(), ct);
        if (gone == 0)
            throw NotFound(path);
    }

    /// <summary>The files of a folder as one artifact, or null when this server holds none of them.</summary>
    public async Task<StoredArtifact?> FreezeAsync(ArtifactPath folder, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var start = folder.Path.Length == 0 ? 0 : folder.Path.Length + 1;
        var files = (await FilesAsync(db, folder, ct)).Where(f => f.Path.Length > start).Select(f => new ArtifactFile(f.Path[start..], f.Digest, f.SizeBytes)).ToList();
        return files.Count == 0 ? null : await store.PutManifestAsync(files, ct);
    }

    private static Task<List<LoggedFile>> FilesAsync(LlmOpsDb db, ArtifactPath folder, CancellationToken ct)
    {
        var (root, inside) = (folder.Root, folder.Path + "/");
        return db.LoggedFiles.AsNoTracking().Where(f => f.Root == root && (inside == "/" || f.Path.Substring(0, inside.Length) == inside)).ToListAsync(ct);
    }

    private static IReadOnlyList<ListedFile> Children(IEnumerable<(string Path, long SizeBytes)> files, string folder)
    {
        var prefix = folder.Length == 0 ? "" : folder + "/";
        var children = new SortedDictionary<string, ListedFile>(StringComparer.Ordinal);
        foreach (var (path, size) in files.Where(f => f.Path.StartsWith(prefix, StringComparison.Ordinal) && f.Path.Length > prefix.Length))
        {
            var rest = path[prefix.Length..];
            var slash = rest.IndexOf('/', StringComparison.Ordinal);
            var name = slash < 0 ? rest : rest[..slash];
            children[name] = new(name, slash >= 0, slash >= 0 ? null : size);
        }
        return [.. children.Values];
    }

    private async Task<(ArtifactManifest Manifest, string Inside)?> VersionAsync(LlmOpsDb db, ArtifactPath path, CancellationToken ct)
    {
        var parts = path.Full.Split('/');
        if (parts.Length < 3 || parts[0] != Versions || !int.TryParse(parts[2], out var number))
            return null;
        var name = parts[1];
        var digest = await db.ModelVersions.AsNoTracking().Where(v => v.Model!.Name == name && v.Number == number).Select(v => v.ArtifactDigest).SingleOrDefaultAsync(ct);
        return string.IsNullOrEmpty(digest) ? (new ArtifactManifest([]), "") : (await store.ManifestAsync(digest, ct), string.Join('/', parts[3..]));
    }

    /// <summary>The path, or a refusal where no client may write.</summary>
    public static ArtifactPath Writable(ArtifactPath path)
    {
        if (path.Full == Versions || path.Full.StartsWith(Versions + "/", StringComparison.Ordinal))
            throw new LlmOpsException(ErrorCode.PermissionDenied, "The files of a registered version never change. Register a new version instead.");
        if (path.Root.Length > 300)
            throw LlmOpsException.Invalid("The folder above 'artifacts' has more than 300 characters.");
        return path;
    }

    private static LlmOpsException NotFound(ArtifactPath path) => new(ErrorCode.ResourceDoesNotExist, $"No such artifact: '{TrackingKeys.Shown(path.Full)}'");
}
