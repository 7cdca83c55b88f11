using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Jobs;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

public sealed record EvaluationFilter(string? Suite = null, string? Model = null, string? Search = null);

public sealed record EvaluationRow(Guid Id, string Suite, string Model, int Number, string Variant, JobState State, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, string CreatedBy)
{
    public IReadOnlyList<EvaluationMetric> Metrics { get; init; } = [];
    public string Version => $"{Model}/{Number}";
    public EvaluationMetric? Find(EvaluationTask task) => Metrics.FirstOrDefault(m => m.Name == task.FullName);
}

/// <param name="Datasets">Task → pinned dataset version.</param>
public sealed record EvaluationDetail(EvaluationRow Row, string SuiteDefinitionJson, IReadOnlyDictionary<string, string> Datasets, string? Note, Guid JobId, Guid? PipelineRunId, string? Stage)
{
    /// <summary>Number of the suite's version; null where a stage's parameters are the suite.</summary>
    public int? SuiteNumber { get; init; }
    public int Repeat { get; init; }
    public RunFacts Facts { get; init; } = RunFacts.None;
    /// <summary>What small models show of their held-out rows.</summary>
    public IReadOnlyList<RunPicture> Pictures { get; init; } = [];
    /// <summary>"Clean", "Contaminated" or "CannotTell", as it was known when the run ended or was compared last; null for runs of before that was asked.</summary>
    public string? Contamination { get; init; }
    /// <summary>A judge had a part in its scores.</summary>
    public bool IsJudged => Judges.Count > 0;
    /// <summary>What has to be known about the judges behind its scores, task by task, in words.</summary>
    public IReadOnlyList<string> Judges { get; init; } = [];
}

/// <summary>Evaluation runs with their numbers.</summary>
public sealed class ReadEvaluations(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <summary>Newest first.</summary>
    public async Task<Window<EvaluationRow>> ListAsync(EvaluationFilter filter, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var runs = db.EvaluationRuns.AsNoTracking();
        if (filter.Suite is { Length: > 0 } suite)
            runs = runs.Where(r => r.Suite!.Name == suite);
        if (filter.Model is { Length: > 0 } model)
            runs = runs.Where(r => db.ModelVersions.Any(v => v.Id == r.VersionId && v.Model!.Name == model));
        if (!string.IsNullOrWhiteSpace(filter.Search))
        {
            var text = filter.Search.Trim().ToLowerInvariant();
            runs = runs.Where(r => r.VariantName.Contains(text) || r.Suite!.Name.ToLower().Contains(text) || db.ModelVersions.Any(v => v.Id == r.VersionId && v.Model!.Name.Contains(text)));
        }
        var page = await Rows(db, runs.OrderByDescending(r => r.StartedAt).ThenByDescending(r => r.Id)).WindowAsync(skip, take, ct);
        return page with { Rows = await WithMetricsAsync(db, page.Rows, ct) };
    }

    public async Task<EvaluationDetail> GetAsync(Guid id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var row = await Rows(db, db.EvaluationRuns.AsNoTracking().Where(r => r.Id == id)).SingleOrDefaultAsync(ct) ?? throw LlmOpsException.NotFound("Evaluation run", id);
        var more = await db.EvaluationRuns.AsNoTracking().Where(r => r.Id == id).Select(r => new { r.Suite!.DefinitionJson, r.DatasetsJson, r.Note, r.JobId, r.Repeat, r.DetailJson, SuiteNumber = db.SuiteVersions.Where(v => v.Id == r.SuiteVersionId).Select(v => (int?)v.Number).FirstOrDefault() }).SingleAsync(ct);
        var place = await db.StageRuns.AsNoTracking().Where(s => s.Id == db.Jobs.Where(j => j.Id == more.JobId).Select(j => j.StageRunId).FirstOrDefault())
            .Select(s => new { s.PipelineRunId, s.Name }).FirstOrDefaultAsync(ct);
        return new((await WithMetricsAsync(db, [row], ct))[0], more.DefinitionJson, TextValues(more.DatasetsJson), more.Note, more.JobId, place?.PipelineRunId, place?.Name) { SuiteNumber = more.SuiteNumber, Repeat = more.Repeat, Facts = RunFacts.Parse(more.DetailJson), Pictures = RunPictures.Parse(more.DetailJson), Contamination = RunDetail.Contamination(more.DetailJson), Judges = JudgedTasks.Parse(more.DetailJson).Count == 0 ? [] : [.. (await ReadJudgements.OfRunAsync(db, id, ct)).Select(j => $"{j.Task}: {j.Words}")] };
    }

    public async Task<IReadOnlyList<string>> SuitesAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.EvaluationSuites.OrderBy(s => s.Name).Select(s => s.Name).ToListAsync(ct);
    }

    public async Task<IReadOnlyList<string>> ModelsAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.EvaluationRuns.Join(db.ModelVersions, r => r.VersionId, v => v.Id, (_, v) => v.Model!.Name).Distinct().OrderBy(n => n).ToListAsync(ct);
    }

    private static IQueryable<EvaluationRow> Rows(LlmOpsDb db, IQueryable<EvaluationRun> runs) =>
        runs.Join(db.ModelVersions.AsNoTracking(), r => r.VersionId, v => v.Id,
            (r, v) => new EvaluationRow(r.Id, r.Suite!.Name, v.Model!.Name, v.Number, r.VariantName, r.State, r.StartedAt, r.EndedAt, r.CreatedBy));

    private static async Task<IReadOnlyList<EvaluationRow>> WithMetricsAsync(LlmOpsDb db, IReadOnlyList<EvaluationRow> rows, CancellationToken ct)
    {
        var ids = rows.Select(r => r.Id).ToList();
        var metrics = (await db.EvaluationMetrics.AsNoTracking().Where(m => ids.Contains(m.EvaluationRunId)).ToListAsync(ct)).ToLookup(m => m.EvaluationRunId);
        return [.. rows.Select(r => r with { Metrics = [.. metrics[r.Id].OrderBy(m => m.Name, StringComparer.Ordinal)] })];
    }

    /// <summary>A flat JSON object as text, whatever its values are.</summary>
    private static Dictionary<string, string> TextValues(string json)
    {
        using var document = System.Text.Json.JsonDocument.Parse(json);
        return document.RootElement.ValueKind != System.Text.Json.JsonValueKind.Object ? [] : document.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.ToString());
    }
}
