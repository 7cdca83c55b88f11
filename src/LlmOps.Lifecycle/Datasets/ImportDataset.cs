using System.Text;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Registry;
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
        var (rows, bad) = await DatasetRows.ReadAsync(stream, kind, ct);
        if (bad.Count > 0 && !quarantine)
            throw LlmOpsException.Invalid($"Import of {name} refused, nothing was stored: {bad.Count} of {rows.Count + bad.Count} rows cannot be used. " +
                string.Join(" ", bad.Take(5).Select(b => $"Line {b.Line}: {b.Reason}")) + (bad.Count > 5 ? $" … and {bad.Count - 5} more." : "") + " Mend the rows, or import with bad rows quarantined.");
        if (rows.Count == 0)
            throw LlmOpsException.Invalid($"Import of {name} refused: there is no usable row{(bad.Count > 0 ? $"; the first problem is in line {bad[0].Line}: {bad[0].Reason}" : "")}.");
        var folder = Directory.CreateDirectory(Path.Combine(workFolder, name)).FullName;
        var train = rows.Where(r => !Split.IsHeldOut(r.Headword)).ToList();
        var heldOut = rows.Where(r => Split.IsHeldOut(r.Headword)).ToList();
        await File.WriteAllLinesAsync(Path.Combine(folder, TrainFile), train.Select(r => r.Json), new UTF8Encoding(false), ct);
        await File.WriteAllLinesAsync(Path.Combine(folder, HeldOutFile), heldOut.Select(r => r.Json), new UTF8Encoding(false), ct);
        if (bad.Count > 0)
            await File.WriteAllLinesAsync(Path.Combine(folder, QuarantineFile), bad.Select(b => Json.Write(b)), ct);
        var artifact = await artifacts.PutFolderAsync(folder, ct);
        return new(name, kind, artifact, train.Count, heldOut.Count, bad.Count, DatasetStatistics.Of(rows, kind), licence, source, jobId);
    }

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
        return version;
    }
}
