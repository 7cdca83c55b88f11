using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

public sealed record AliasPointer(string Name, int Number, string? Variant);

public sealed record ModelRow(Guid Id, string Name, string Description, string Owner, int Versions, int Newest, string? NewestStage, long Parameters, DateTimeOffset ChangedAt)
{
    public IReadOnlyList<AliasPointer> Aliases { get; init; } = [];
}

public sealed record VersionRow(Guid Id, int Number, string Stage, long Parameters, long SizeBytes, int Variants, bool? ParityPassed, string CreatedBy, DateTimeOffset CreatedAt)
{
    public IReadOnlyList<AliasPointer> Aliases { get; init; } = [];
    /// <summary>Held-out bits per byte of definitions, from the newest finished measurement; null when nobody measured it.</summary>
    public VersionQuality? Quality { get; init; }
}

public sealed record VersionQuality(string Variant, double Value, double Low, double High, int N);

public sealed record AliasMoveRow(long Id, string Alias, int? From, int To, string? Variant, Guid? ApprovalId, bool IsAttested, string MovedBy, DateTimeOffset At);

public sealed record ModelDetail(Guid Id, string Name, string Description, string Owner, DateTimeOffset CreatedAt, int Versions, IReadOnlyList<AliasPointer> Aliases);

/// <summary>Lists of the registry: models, their versions, the moves of their aliases.</summary>
public sealed class ReadModels(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<Window<ModelRow>> ListAsync(ListQuery query, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var needle = query.Needle;
        var models = db.Models.AsNoTracking().Where(m => needle == "" || m.Name.ToLower().Contains(needle) || m.Description.ToLower().Contains(needle) || m.Owner.ToLower().Contains(needle));
        var rows = from m in models
                   let newest = db.ModelVersions.Where(v => v.ModelId == m.Id).OrderByDescending(v => v.Number).FirstOrDefault()
                   select new { m, Versions = db.ModelVersions.Count(v => v.ModelId == m.Id), Number = (int?)newest!.Number ?? 0, newest.Stage, Parameters = (long?)newest.Parameters ?? 0, At = (DateTimeOffset?)newest.CreatedAt ?? m.CreatedAt };
        var ordered = query.Sort switch
        {
            "name" => rows.By(query.Descending, r => r.m.Name, r => r.m.Id),
            "versions" => rows.By(query.Descending, r => r.Versions, r => r.m.Id),
            "parameters" => rows.By(query.Descending, r => r.Parameters, r => r.m.Id),
            "owner" => rows.By(query.Descending, r => r.m.Owner, r => r.m.Id),
            "changed" => rows.By(query.Descending, r => r.At, r => r.m.Id),
            _ => rows.By(true, r => r.At, r => r.m.Id),
        };
        var page = await ordered.Select(r => new ModelRow(r.m.Id, r.m.Name, r.m.Description, r.m.Owner, r.Versions, r.Number, r.Stage, r.Parameters, r.At)).WindowAsync(query.Skip, query.Take, ct);
        var aliases = await AliasesAsync(db, [.. page.Rows.Select(r => r.Id)], ct);
        return page with { Rows = [.. page.Rows.Select(r => r with { Aliases = [.. aliases[r.Id].Select(a => a.Pointer)] })] };
    }

    public async Task<ModelDetail> GetAsync(string name, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var model = await db.Models.AsNoTracking().SingleOrDefaultAsync(m => m.Name == name, ct) ?? throw LlmOpsException.NotFound("Model", name);
        var aliases = await AliasesAsync(db, [model.Id], ct);
        return new(model.Id, model.Name, model.Description, model.Owner, model.CreatedAt, await db.ModelVersions.CountAsync(v => v.ModelId == model.Id, ct), [.. aliases[model.Id].Select(a => a.Pointer)]);
    }

    public async Task<Window<VersionRow>> VersionsAsync(Guid modelId, ListQuery query, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var needle = query.Needle;
        var rows = db.ModelVersions.AsNoTracking().Where(v => v.ModelId == modelId && (needle == "" || v.Stage.ToLower().Contains(needle) || v.Description.ToLower().Contains(needle) || v.CreatedBy.ToLower().Contains(needle)));
        var ordered = query.Sort switch
        {
            "stage" => rows.By(query.Descending, v => v.Stage, v => v.Number),
            "parameters" => rows.By(query.Descending, v => v.Parameters, v => v.Number),
            "size" => rows.By(query.Descending, v => v.SizeBytes, v => v.Number),
            "created" => rows.By(query.Descending, v => v.CreatedAt, v => v.Number),
            "number" => rows.By(query.Descending, v => v.Number, v => v.Id),
            _ => rows.OrderByDescending(v => v.Number),
        };
        var page = await ordered.Select(v => new VersionRow(v.Id, v.Number, v.Stage, v.Parameters, v.SizeBytes, v.Variants.Count, v.ParityPassed, v.CreatedBy, v.CreatedAt)).WindowAsync(query.Skip, query.Take, ct);
        Guid[] ids = [.. page.Rows.Select(r => r.Id)];
        var aliases = (await AliasesAsync(db, [modelId], ct))[modelId].ToLookup(a => a.VersionId, a => a.Pointer);
        var quality = await QualityAsync(db, ids, ct);
        return page with { Rows = [.. page.Rows.Select(r => r with { Aliases = [.. aliases[r.Id]], Quality = quality.GetValueOrDefault(r.Id) })] };
    }

    public async Task<Window<AliasMoveRow>> AliasMovesAsync(Guid modelId, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var moves = from m in db.AliasMoves.AsNoTracking()
                    where m.ModelId == modelId
                    orderby m.Id descending
                    select new AliasMoveRow(m.Id, m.Name, db.ModelVersions.Where(v => v.Id == m.FromVersionId).Select(v => (int?)v.Number).FirstOrDefault(),
                        db.ModelVersions.Where(v => v.Id == m.ToVersionId).Select(v => v.Number).FirstOrDefault(), m.VariantName, m.ApprovalId,
                        db.Attestations.Any(t => t.ApprovalId == m.ApprovalId), m.MovedBy, m.At);
        return await moves.WindowAsync(skip, take, ct);
    }

    internal static async Task<ILookup<Guid, (Guid VersionId, AliasPointer Pointer)>> AliasesAsync(LlmOpsDb db, IReadOnlyCollection<Guid> models, CancellationToken ct)
    {
        var rows = await (from a in db.Aliases.AsNoTracking()
                          join v in db.ModelVersions.AsNoTracking() on a.VersionId equals v.Id
                          where models.Contains(a.ModelId)
                          orderby a.Name
                          select new { a.ModelId, a.VersionId, a.Name, v.Number, a.VariantName }).ToListAsync(ct);
        return rows.ToLookup(r => r.ModelId, r => (r.VersionId, new AliasPointer(r.Name, r.Number, r.VariantName)));
    }

    private static async Task<Dictionary<Guid, VersionQuality>> QualityAsync(LlmOpsDb db, Guid[] versions, CancellationToken ct)
    {
        var metric = Evaluation.EvaluationTasks.Definitions.FullName;
        var rows = await (from r in db.EvaluationRuns.AsNoTracking()
                          join m in db.EvaluationMetrics.AsNoTracking() on r.Id equals m.EvaluationRunId
                          where versions.Contains(r.VersionId) && r.State == JobState.Succeeded && m.Name == metric
                          select new { r.VersionId, r.VariantName, r.StartedAt, m.Value, m.Low, m.High, m.N }).ToListAsync(ct);
        // the full-precision form speaks for the version; a quantized one only when nothing else was measured
        return rows.GroupBy(r => r.VersionId).ToDictionary(g => g.Key, g => g
            .OrderBy(r => r.VariantName switch { "checkpoint" => 0, "fp32" => 1, _ => 2 }).ThenByDescending(r => r.StartedAt)
            .Select(r => new VersionQuality(r.VariantName, r.Value, r.Low, r.High, r.N)).First());
    }
}
