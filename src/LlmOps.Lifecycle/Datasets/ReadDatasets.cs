using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

public sealed record DatasetRow(Guid Id, string Name, DatasetKind Kind, string Description, int Versions, int Newest, int TrainRows, int HeldOutRows, int QuarantinedRows, long SizeBytes, string Licence, DateTimeOffset ChangedAt);

public sealed record DatasetVersionRow(int Number, int TrainRows, int HeldOutRows, int QuarantinedRows, long SizeBytes, string CreatedBy, DateTimeOffset CreatedAt);

public sealed record DatasetVersionDetail(Guid Id, Guid DatasetId, string Name, int Number, DatasetKind Kind, string Digest, long SizeBytes, int TrainRows, int HeldOutRows, int QuarantinedRows,
    string Licence, string Source, string StatisticsJson, Guid? JobId, string CreatedBy, DateTimeOffset CreatedAt)
{
    public DatasetStatistics? Statistics => StatisticsJson is "" or "{}" ? null : Json.Read<DatasetStatistics>(StatisticsJson);
    public string Key => $"{Name}/{Number}";

    public int RowsOf(string split) => split switch { "train" => TrainRows, "held-out" => HeldOutRows, "quarantine" => QuarantinedRows, _ => 0 };
}

public sealed record TrainedVersion(string Model, int Number, string Stage, DateTimeOffset CreatedAt);

public sealed record MeasuringRun(Guid Id, string Suite, string Model, int Number, string Variant, DateTimeOffset StartedAt);

public sealed record DatasetUses(IReadOnlyList<TrainedVersion> Trained, IReadOnlyList<MeasuringRun> Measured);

/// <summary>Lists of datasets and their versions, and who used a version.</summary>
public sealed class ReadDatasets(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<Window<DatasetRow>> ListAsync(ListQuery query, DatasetKind? kind = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var needle = query.Needle;
        var rows = from d in db.Datasets.AsNoTracking()
                   where (kind == null || d.Kind == kind) && (needle == "" || d.Name.ToLower().Contains(needle) || d.Description.ToLower().Contains(needle))
                   join v in db.DatasetVersions.AsNoTracking() on d.Id equals v.DatasetId
                   where v.Number == db.DatasetVersions.Where(x => x.DatasetId == d.Id).Max(x => x.Number)
                   select new { d, v, Versions = db.DatasetVersions.Count(x => x.DatasetId == d.Id) };
        var ordered = query.Sort switch
        {
            "name" => rows.By(query.Descending, r => r.d.Name, r => r.d.Id),
            "kind" => rows.By(query.Descending, r => r.d.Kind, r => r.d.Id),
            "versions" => rows.By(query.Descending, r => r.Versions, r => r.d.Id),
            "train" => rows.By(query.Descending, r => r.v.TrainRows, r => r.d.Id),
            "held-out" => rows.By(query.Descending, r => r.v.HeldOutRows, r => r.d.Id),
            "quarantined" => rows.By(query.Descending, r => r.v.QuarantinedRows, r => r.d.Id),
            "size" => rows.By(query.Descending, r => r.v.SizeBytes, r => r.d.Id),
            "changed" => rows.By(query.Descending, r => r.v.CreatedAt, r => r.d.Id),
            _ => rows.By(true, r => r.v.CreatedAt, r => r.d.Id),
        };
        return await ordered.Select(r => new DatasetRow(r.d.Id, r.d.Name, r.d.Kind, r.d.Description, r.Versions, r.v.Number, r.v.TrainRows, r.v.HeldOutRows, r.v.QuarantinedRows, r.v.SizeBytes, r.v.Licence, r.v.CreatedAt))
            .WindowAsync(query.Skip, query.Take, ct);
    }

    public async Task<DatasetVersionDetail> GetAsync(string name, int number, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.DatasetVersions.AsNoTracking().Where(v => v.Dataset!.Name == name && v.Number == number)
            .Select(v => new DatasetVersionDetail(v.Id, v.DatasetId, v.Dataset!.Name, v.Number, v.Dataset.Kind, v.ArtifactDigest, v.SizeBytes, v.TrainRows, v.HeldOutRows, v.QuarantinedRows,
                v.Licence, v.Source, v.StatisticsJson, v.ProducedByJobId, v.CreatedBy, v.CreatedAt))
            .SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Dataset version", $"{name}/{number}");
    }

    public async Task<Guid> GetIdAsync(string name, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Datasets.Where(d => d.Name == name).Select(d => (Guid?)d.Id).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Dataset", name);
    }

    public async Task<IReadOnlyList<DatasetVersionRow>> VersionsAsync(Guid datasetId, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.DatasetVersions.AsNoTracking().Where(v => v.DatasetId == datasetId).OrderByDescending(v => v.Number).Take(Window<DatasetVersionRow>.Largest)
            .Select(v => new DatasetVersionRow(v.Number, v.TrainRows, v.HeldOutRows, v.QuarantinedRows, v.SizeBytes, v.CreatedBy, v.CreatedAt)).ToListAsync(ct);
    }

    public async Task<DatasetUses> UsesAsync(string key, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        // "name/1" is also the beginning of "name/12": the database narrows, the comparison of whole keys decides.
        var trained = await db.ModelVersions.AsNoTracking().Where(v => v.TrainedOn.Contains(key)).OrderByDescending(v => v.CreatedAt).Take(200)
            .Select(v => new { Row = new TrainedVersion(v.Model!.Name, v.Number, v.Stage, v.CreatedAt), v.TrainedOn }).ToListAsync(ct);
        var measured = await (from r in db.EvaluationRuns.AsNoTracking()
                              join v in db.ModelVersions.AsNoTracking() on r.VersionId equals v.Id
                              where r.DatasetsJson.Contains(key)
                              orderby r.StartedAt descending
                              select new { Row = new MeasuringRun(r.Id, r.Suite!.Name, v.Model!.Name, v.Number, r.VariantName, r.StartedAt), r.DatasetsJson }).Take(200).ToListAsync(ct);
        return new([.. trained.Where(t => t.TrainedOn.Split(',', StringSplitOptions.TrimEntries).Contains(key)).Select(t => t.Row)],
            [.. measured.Where(m => m.DatasetsJson.Contains($"\"{key}\"", StringComparison.Ordinal)).Select(m => m.Row)]);
    }
}
