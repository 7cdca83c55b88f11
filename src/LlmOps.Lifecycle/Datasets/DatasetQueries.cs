using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

public static class DatasetQueries
{
    /// <summary>"name/number", as stage outputs write it.</summary>
    public static async Task<DatasetVersion> GetAsync(this DbSet<DatasetVersion> versions, string key, CancellationToken ct = default)
    {
        var parsed = VersionKey.Parse(key);
        return await versions.Include(v => v.Dataset).SingleOrDefaultAsync(v => v.Dataset!.Name == parsed.Name && v.Number == parsed.Number, ct)
            ?? throw LlmOpsException.NotFound("Dataset version", key);
    }

    public static string KeyText(this DatasetVersion version) =>
        $"{(version.Dataset ?? throw new InvalidOperationException("The dataset version was loaded without its dataset.")).Name}/{version.Number}";
}

public sealed record RowPage(IReadOnlyList<string> Rows, int Total);

/// <summary>Rows of a frozen version, a window at a time. Line offsets are found once for each file and kept.</summary>
public sealed class ReadRows(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts)
{
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, Lazy<Task<long[]>>> offsets = new();

    public async Task<RowPage> PageAsync(Guid datasetVersionId, string split, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var digest = await db.DatasetVersions.Where(v => v.Id == datasetVersionId).Select(v => v.ArtifactDigest).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.NotFound("Dataset version", datasetVersionId);
        var path = Path.Combine(await artifacts.FolderAsync(digest, ct), FileOf(split));
        if (!File.Exists(path))
            return new([], 0);
        var lines = await offsets.GetOrAdd(path, p => new(() => OffsetsAsync(p))).Value;
        if (skip < 0 || skip >= lines.Length)
            return new([], lines.Length);
        await using var stream = File.OpenRead(path);
        stream.Position = lines[skip];
        using var reader = new StreamReader(stream);
        var rows = new List<string>();
        for (var i = 0; i < Math.Min(take, 1000) && await reader.ReadLineAsync(ct) is { } line; i++)
            rows.Add(line);
        return new(rows, lines.Length);
    }

    internal static string FileOf(string split) => split switch
    {
        "train" => ImportDataset.TrainFile, "held-out" => ImportDataset.HeldOutFile, "quarantine" => ImportDataset.QuarantineFile,
        _ => throw LlmOpsException.Invalid("A split is train, held-out or quarantine."),
    };

    private static async Task<long[]> OffsetsAsync(string path)
    {
        var starts = new List<long>();
        await using var stream = File.OpenRead(path);
        var buffer = new byte[1 << 16];
        long position = 0;
        var atStart = true;
        int read;
        while ((read = await stream.ReadAsync(buffer)) > 0)
            for (var i = 0; i < read; i++, position++)
            {
                if (atStart)
                    starts.Add(position);
                atStart = buffer[i] == '\n';
            }
        return [.. starts];
    }
}
