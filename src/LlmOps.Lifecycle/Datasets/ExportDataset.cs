using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

public enum RowFileFormat { Jsonl, Csv, Parquet }

/// <summary>The rows of a split as a file that other tools read.</summary>
public sealed class ExportDataset(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts)
{
    /// <summary>A seekable stream at its beginning; a temporary file goes when it is disposed.</summary>
    public async Task<Stream> ExportAsync(string name, int number, string split, RowFileFormat format, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await db.DatasetVersions.GetAsync($"{name}/{number}", ct);
        var manifest = await artifacts.ManifestAsync(version.ArtifactDigest, ct);
        var file = manifest.Files.FirstOrDefault(f => f.Path == ReadRows.FileOf(split))
            ?? throw LlmOpsException.Invalid($"{name}/{number} has no rows in its split '{split}'.");
        var rows = artifacts.OpenFile(file);
        if (format == RowFileFormat.Jsonl)
            return rows;
        await using var source = rows;
        var written = RowStream.Temporary();
        try
        {
            await (format == RowFileFormat.Csv ? CsvRows.FromJsonlAsync(source, written, ct) : ParquetRows.FromJsonlAsync(source, written, ct));
            written.Position = 0;
            return written;
        }
        catch (InvalidDatasetException e)
        {
            await written.DisposeAsync();
            throw LlmOpsException.Invalid($"{name}/{number} cannot be written as {format.ToString().ToLowerInvariant()}: {e.Reason}");
        }
    }
}
