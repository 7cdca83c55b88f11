using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

public sealed record NewEvaluationDataset(string? Name, IReadOnlyList<Guid> Experiments, string? SourceType, string? Source, string? Schema, string? Profile, IReadOnlyDictionary<string, string> Tags);

public sealed record UpsertedRecords(int Inserted, int Updated);

/// <summary>Makes evaluation datasets, fills them and takes them away.</summary>
public sealed class KeepEvaluationDataset(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public const int MostExperiments = 1000;

    public async Task<Guid> CreateAsync(NewEvaluationDataset wanted, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteDatasets);
        if (string.IsNullOrWhiteSpace(wanted.Name))
            throw LlmOpsException.Invalid("Missing value for required parameter 'name'. An evaluation dataset needs a name.");
        TrackingLimits.EnsureText(wanted.Name, "Dataset name", EvaluationDataset.LongestName);
        TrackingLimits.EnsureText(wanted.SourceType, "Dataset source type", EvaluationDataset.LongestName);
        TrackingLimits.EnsureText(wanted.Source, "Dataset source", TrackingLimits.DatasetSource);
        TrackingLimits.EnsureText(wanted.Schema, "Dataset schema", TrackingLimits.DatasetSchema);
        TrackingLimits.EnsureText(wanted.Profile, "Dataset profile", TrackingLimits.DatasetProfile);
        EnsureTags(wanted.Tags);
        var now = time.GetUtcNow();
        await using var db = await dbs.CreateDbContextAsync(ct);
        var experiments = await KnownAsync(db, wanted.Experiments, now, ct);
        var dataset = new EvaluationDataset
        {
            Name = wanted.Name, SourceType = wanted.SourceType, Source = wanted.Source, Schema = wanted.Schema, Profile = wanted.Profile, Digest = EvaluationRows.Digest([]), CreatedBy = actor.Name, UpdatedBy = actor.Name, CreatedAt = now, UpdatedAt = now,
            Tags = [.. wanted.Tags.Select(t => new EvaluationDatasetTag { Key = t.Key, Value = t.Value })], Experiments = [.. experiments.Select(e => new EvaluationDatasetExperiment { ExperimentId = e })],
        };
        db.EvaluationDatasets.Add(dataset);
        db.Record(actor, "create", "evaluation-dataset", dataset.Id, now, after: new { dataset.Name });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Dataset, dataset.Id);
        return dataset.Id;
    }

    public async Task DeleteAsync(Guid id, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteDatasets);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var dataset = await db.EvaluationDatasets.SingleOrDefaultAsync(d => d.Id == id, ct) ?? throw ReadEvaluationDatasets.NotFound(id);
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        await db.EvaluationRecords.Where(r => r.DatasetId == id).ExecuteDeleteAsync(ct);
        db.EvaluationDatasets.Remove(dataset);
        db.Record(actor, "delete", "evaluation-dataset", id, time.GetUtcNow(), before: new { dataset.Name, dataset.Digest });
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
        await hints.ChangedAsync(Areas.Dataset, id);
    }

    /// <summary>Sets these tags; a value that is null takes the tag away.</summary>
    public Task TagAsync(Guid id, IReadOnlyDictionary<string, string?> tags, Actor actor, CancellationToken ct = default)
    {
        EnsureTags(tags.Where(t => t.Value is not null).ToDictionary(t => t.Key, t => t.Value!));
        return ChangeAsync(id, "tag", new { Keys = tags.Keys }, actor, async (db, _, _) =>
        {
            var stored = await db.EvaluationDatasetTags.Where(t => t.DatasetId == id).ToDictionaryAsync(t => t.Key, ct);
            foreach (var (key, value) in tags)
                if (!stored.TryGetValue(key, out var tag))
                {
                    if (value is not null)
                        db.EvaluationDatasetTags.Add(new EvaluationDatasetTag { DatasetId = id, Key = key, Value = value });
                }
                else if (value is null)
                    db.EvaluationDatasetTags.Remove(tag);
                else
                    tag.Value = value;
            return true;
        }, ct);
    }

    /// <summary>Adds rows; one with the inputs of a stored row changes that row: expectations and tags are added to its own, the rest is replaced.</summary>
    public Task<UpsertedRecords> UpsertAsync(Guid id, IReadOnlyList<SentRecord> records, string? by, Actor actor, CancellationToken ct = default)
    {
        TrackingLimits.EnsureText(by, "updated_by", EvaluationDataset.LongestName);
        var who = string.IsNullOrEmpty(by) ? actor.Name : by;
        return ChangeAsync(id, "upsert-records", new { records.Count }, actor, async (db, _, now) =>
        {
            string[] digests = [.. records.Select(r => r.InputsDigest).Distinct()];
            var stored = await db.EvaluationRecords.Where(r => r.DatasetId == id && digests.Contains(r.InputsDigest)).ToDictionaryAsync(r => r.InputsDigest, ct);
            var (inserted, updated) = (0, 0);
            foreach (var sent in records)
            {
                if (stored.TryGetValue(sent.InputsDigest, out var record))
                    updated++;
                else
                {
                    inserted++;
                    db.EvaluationRecords.Add(stored[sent.InputsDigest] = record = new() { DatasetId = id, InputsDigest = sent.InputsDigest, InputsJson = sent.InputsJson, CreatedBy = who, UpdatedBy = who, CreatedAt = now });
                }
                record.OutputsJson = sent.OutputsJson ?? record.OutputsJson;
                record.ExpectationsJson = EvaluationRows.Merged(record.ExpectationsJson, sent.ExpectationsJson);
                record.TagsJson = EvaluationRows.Merged(record.TagsJson, sent.TagsJson)!;
                (record.SourceType, record.SourceId, record.SourceJson) = sent.SourceType is null && sent.SourceJson is null ? (record.SourceType, record.SourceId, record.SourceJson) : (sent.SourceType, sent.SourceId, sent.SourceJson);
                (record.UpdatedBy, record.UpdatedAt) = (who, now);
            }
            return new UpsertedRecords(inserted, updated);
        }, ct);
    }

    /// <returns>How many are gone; ids that are not there are passed over.</returns>
    public Task<int> DeleteRecordsAsync(Guid id, IReadOnlyList<Guid> records, Actor actor, CancellationToken ct = default) => ChangeAsync(id, "delete-records", new { records.Count }, actor, async (db, _, _) =>
    {
        if (records.Count > EvaluationRows.Most)
            throw LlmOpsException.Invalid($"Delete at most {EvaluationRows.Most} records at once; these are {records.Count}.");
        Guid[] ids = [.. records];
        var gone = await db.EvaluationRecords.Where(r => r.DatasetId == id && ids.Contains(r.Id)).ToListAsync(ct);
        db.EvaluationRecords.RemoveRange(gone);
        return gone.Count;
    }, ct);

    public Task AddExperimentsAsync(Guid id, IReadOnlyList<Guid> experiments, Actor actor, CancellationToken ct = default) => ChangeAsync(id, "add-experiments", new { experiments.Count }, actor, async (db, _, now) =>
    {
        var known = await KnownAsync(db, experiments, now, ct);
        var there = await db.EvaluationDatasetExperiments.Where(e => e.DatasetId == id).Select(e => e.ExperimentId).ToListAsync(ct);
        db.EvaluationDatasetExperiments.AddRange(known.Except(there).Select(e => new EvaluationDatasetExperiment { DatasetId = id, ExperimentId = e }));
        return true;
    }, ct);

    public Task RemoveExperimentsAsync(Guid id, IReadOnlyList<Guid> experiments, Actor actor, CancellationToken ct = default) => ChangeAsync(id, "remove-experiments", new { experiments.Count }, actor, async (db, _, _) =>
    {
        Guid[] ids = [.. experiments];
        db.EvaluationDatasetExperiments.RemoveRange(await db.EvaluationDatasetExperiments.Where(e => e.DatasetId == id && ids.Contains(e.ExperimentId)).ToListAsync(ct));
        return true;
    }, ct);

    /// <summary>Two that change one dataset at the same moment change it one after the other: the digest tells the second, which begins again.</summary>
    private async Task<T> ChangeAsync<T>(Guid id, string action, object what, Actor actor, Func<LlmOpsDb, EvaluationDataset, DateTimeOffset, Task<T>> change, CancellationToken ct)
    {
        actor.Require(Permission.WriteDatasets);
        var made = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var dataset = await db.EvaluationDatasets.SingleOrDefaultAsync(d => d.Id == id, ct) ?? throw ReadEvaluationDatasets.NotFound(id);
            var now = time.GetUtcNow();
            var result = await change(db, dataset, now);
            (dataset.UpdatedAt, dataset.UpdatedBy) = (now, actor.Name);
            await CountAsync(db, dataset, ct);
            db.Record(actor, action, "evaluation-dataset", id, now, after: what);
            await db.SaveChangesAsync(ct);
            return result;
        });
        await hints.ChangedAsync(Areas.Dataset, id);
        return made;
    }

    /// <summary>Of the rows as they will be.</summary>
    private static async Task CountAsync(LlmOpsDb db, EvaluationDataset dataset, CancellationToken ct)
    {
        var rows = (await db.EvaluationRecords.AsNoTracking().Where(r => r.DatasetId == dataset.Id).Select(r => new { r.InputsDigest, r.UpdatedAt }).ToListAsync(ct)).ToDictionary(r => r.InputsDigest, r => r.UpdatedAt.ToUnixTimeMilliseconds());
        foreach (var entry in db.ChangeTracker.Entries<EvaluationRecord>())
            if (entry.State == EntityState.Deleted)
                rows.Remove(entry.Entity.InputsDigest);
            else
                rows[entry.Entity.InputsDigest] = entry.Entity.UpdatedAt.ToUnixTimeMilliseconds();
        dataset.Digest = EvaluationRows.Digest(rows.Select(r => (r.Key, r.Value)));
        dataset.Profile = Json.Write(new { num_records = rows.Count });
    }

    private static async Task<IReadOnlyList<Guid>> KnownAsync(LlmOpsDb db, IReadOnlyList<Guid> experiments, DateTimeOffset now, CancellationToken ct)
    {
        Guid[] ids = [.. experiments.Distinct()];
        if (ids.Length > MostExperiments)
            throw LlmOpsException.Invalid($"A dataset belongs to at most {MostExperiments} experiments; these are {ids.Length}.");
        if (ids.Contains(TrackingKeys.DefaultExperimentId))
            await CreateExperiment.EnsureDefaultAsync(db, now, ct);
        var known = await db.Experiments.Where(e => ids.Contains(e.Id)).Select(e => e.Id).ToListAsync(ct);
        return ids.Except(known).Cast<Guid?>().FirstOrDefault() is { } missing ? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No Experiment with id={TrackingKeys.Text(missing)} exists") : known;
    }

    private static void EnsureTags(IReadOnlyDictionary<string, string> tags)
    {
        TrackingLimits.EnsureCount(tags.Count, TrackingLimits.TagsPerBatch, "tags");
        foreach (var (key, value) in tags)
        {
            TrackingLimits.EnsureText(TrackingKeys.Required(key, "tags.key"), "Dataset tag key", EvaluationDataset.LongestTagKey);
            TrackingLimits.EnsureText(value, $"Dataset tag value of '{key}'", EvaluationDataset.LongestTagValue);
        }
    }
}
