using System.Text;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

/// <summary>Rows that passed the check, split and stored; not yet a version.</summary>
public sealed record PreparedDataset(string Name, DatasetKind Kind, StoredArtifact Artifact, int TrainRows, int HeldOutRows, int QuarantinedRows,
    DatasetStatistics Statistics, string Licence, string Source, Guid? JobId);

public sealed class ImportDataset(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts, Hints hints, TimeProvider time)
{
    public const long LargestUpload = 512L << 20;
    public const string TrainFile = "train.jsonl";
    public const string HeldOutFile = "held-out.jsonl";
    public const string QuarantineFile = "quarantine.jsonl";
    /// <summary>Bad rows that a refusal quotes.</summary>
    private const int Named = 5;

    /// <summary>Import by upload: check, split, store, publish. Nothing is kept when it is refused.</summary>
    public async Task<DatasetVersion> ImportAsync(string name, DatasetKind kind, Stream rows, bool quarantine, string licence, string source, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteDatasets);
        var work = Directory.CreateTempSubdirectory("llmops-import-").FullName;
        try
        {
            var prepared = await PrepareAsync(name, kind, rows, quarantine, licence, source, null, work, ct);
            var version = await UniqueViolation.RetryAsync(async () =>
            {
                await using var db = await dbs.CreateDbContextAsync(ct);
                var added = await PublishAsync(db, prepared, actor, time.GetUtcNow(), ct);
                await db.SaveChangesAsync(ct);
                return added;
            });
            await hints.ChangedAsync(Areas.Dataset, version.DatasetId);
            return version;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    public async Task<PreparedDataset> PrepareAsync(string name, DatasetKind kind, Stream stream, bool quarantine, string licence, string source, Guid? jobId, string workFolder, CancellationToken ct)
    {
        name = ModelName.Parse(name);
        var folder = Path.Combine(workFolder, name);
        // What an attempt before this one left in the same folder is not of this one.
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        var count = new RowCount(kind);
        var (train, heldOut, bad) = (0, 0, 0);
        var first = new List<BadRow>();
        await using (var trainRows = Writer(folder, TrainFile))
        await using (var heldOutRows = Writer(folder, HeldOutFile))
        {
            StreamWriter? setAside = null;
            try
            {
                await foreach (var read in DatasetRows.StreamAsync(stream, kind, ct))
                {
                    if (read.Row is { } row)
                    {
                        var held = Split.IsHeldOut(row.Headword);
                        (train, heldOut) = held ? (train, heldOut + 1) : (train + 1, heldOut);
                        await (held ? heldOutRows : trainRows).WriteLineAsync(row.Json.AsMemory(), ct);
                        count.Add(row);
                        continue;
                    }
                    bad++;
                    if (first.Count < Named)
                        first.Add(read.Bad!);
                    if (quarantine)
                        await (setAside ??= Writer(folder, QuarantineFile)).WriteLineAsync(Json.Write(read.Bad).AsMemory(), ct);
                }
            }
            finally
            {
                if (setAside is not null)
                    await setAside.DisposeAsync();
            }
        }
        if (bad > 0 && !quarantine)
            throw LlmOpsException.Invalid($"Import of {name} refused, nothing was stored: {bad} of {train + heldOut + bad} rows cannot be used. " +
                string.Join(" ", first.Select(b => $"Line {b.Line}: {b.Reason}")) + (bad > Named ? $" … and {bad - Named} more." : "") + " Mend the rows, or import with bad rows quarantined.");
        if (train + heldOut == 0)
            throw LlmOpsException.Invalid($"Import of {name} refused: there is no usable row{(bad > 0 ? $"; the first problem is in line {first[0].Line}: {first[0].Reason}" : "")}.");
        var artifact = await artifacts.PutFolderAsync(folder, ct);
        return new(name, kind, artifact, train, heldOut, bad, count.Statistics(), licence, source, jobId);
    }

    private static StreamWriter Writer(string folder, string file) => new(Path.Combine(folder, file), append: false, new UTF8Encoding(false), 1 << 16);

    public static async Task<DatasetVersion> PublishAsync(LlmOpsDb db, PreparedDataset prepared, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        var dataset = await db.Datasets.SingleOrDefaultAsync(d => d.Name == prepared.Name, ct);
        if (dataset is null)
            db.Datasets.Add(dataset = new Dataset { Name = prepared.Name, Kind = prepared.Kind, CreatedAt = now });
        else if (dataset.Kind != prepared.Kind)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The dataset {prepared.Name} exists and holds {dataset.Kind} rows; these are {prepared.Kind} rows. Choose another name.");
        var newest = await db.DatasetVersions.Where(v => v.DatasetId == dataset.Id).OrderByDescending(v => v.Number).FirstOrDefaultAsync(ct);
        if (newest is not null && newest.ArtifactDigest == prepared.Artifact.Digest)
        {
            newest.Dataset ??= dataset;
            return newest;      // the same rows again: the version that is there already
        }
        var version = new DatasetVersion
        {
            DatasetId = dataset.Id, Dataset = dataset, Number = (newest?.Number ?? 0) + 1, ArtifactDigest = prepared.Artifact.Digest, SizeBytes = prepared.Artifact.SizeBytes,
            TrainRows = prepared.TrainRows, HeldOutRows = prepared.HeldOutRows, QuarantinedRows = prepared.QuarantinedRows, Licence = prepared.Licence, Source = prepared.Source,
            StatisticsJson = Json.Write(prepared.Statistics), ProducedByJobId = prepared.JobId, CreatedBy = actor.Name, CreatedAt = now,
        };
        db.DatasetVersions.Add(version);
        db.Record(actor, "import", "dataset-version", $"{dataset.Name}/{version.Number}", now, after: new { version.ArtifactDigest, version.TrainRows, version.HeldOutRows, version.QuarantinedRows });
        await db.AnnounceDatasetAsync(version, dataset, now, ct);
        return version;
    }
}
