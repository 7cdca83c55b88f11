using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Suites;

public sealed record SuiteRow(string Name, string Description, int Newest, int Tasks, int Runs, string ChangedBy, DateTimeOffset ChangedAt);

public sealed record SuiteVersionRow(int Number, string Digest, string CreatedBy, DateTimeOffset CreatedAt, int Runs);

/// <param name="Changes">Against the version before; empty for the first.</param>
public sealed record SuiteDetail(string Name, int Number, string Yaml, string Digest, string CreatedBy, DateTimeOffset CreatedAt, SuiteDocument Document, IReadOnlyList<SuiteVersionRow> Versions,
    IReadOnlyList<LineChange> Changes)
{
    public string Key => new VersionKey(Name, Number).ToString();
}

/// <summary>Suites and their versions, as they were saved.</summary>
public sealed class ReadSuites(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<Window<SuiteRow>> ListAsync(ListQuery query, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var needle = query.Needle;
        var suites = db.EvaluationSuites.AsNoTracking().Where(s => db.SuiteVersions.Any(v => v.SuiteId == s.Id));
        if (needle.Length > 0)
            suites = suites.Where(s => s.Name.Contains(needle));
        var page = await suites.OrderBy(s => s.Name).Select(s => new
        {
            s.Name, Newest = db.SuiteVersions.Where(v => v.SuiteId == s.Id).OrderByDescending(v => v.Number).First(), Runs = db.EvaluationRuns.Count(r => r.SuiteId == s.Id),
        }).WindowAsync(query.Skip, query.Take, ct);
        return new([.. page.Rows.Select(s =>
        {
            var document = SuiteDocument.Parse(s.Newest.Yaml);
            return new SuiteRow(s.Name, document.Description, s.Newest.Number, document.Tasks.Count, s.Runs, s.Newest.CreatedBy, s.Newest.CreatedAt);
        })], page.Total);
    }

    /// <param name="number">null for the newest.</param>
    public async Task<SuiteDetail> GetAsync(string name, int? number = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var all = await db.SuiteVersions.AsNoTracking().Where(v => db.EvaluationSuites.Any(s => s.Id == v.SuiteId && s.Name == name)).OrderByDescending(v => v.Number).ToListAsync(ct);
        var shown = (number is null ? all.FirstOrDefault() : all.FirstOrDefault(v => v.Number == number)) ?? throw LlmOpsException.NotFound("Suite version", number is null ? name : $"{name}/{number}");
        var ids = all.Select(v => v.Id).ToList();
        var runs = await db.EvaluationRuns.Where(r => r.SuiteVersionId != null && ids.Contains(r.SuiteVersionId.Value)).GroupBy(r => r.SuiteVersionId).Select(g => new { g.Key, Count = g.Count() }).ToDictionaryAsync(g => g.Key!.Value, g => g.Count, ct);
        var before = all.FirstOrDefault(v => v.Number == shown.Number - 1);
        return new(name, shown.Number, shown.Yaml, shown.Digest, shown.CreatedBy, shown.CreatedAt, SuiteDocument.Parse(shown.Yaml),
            [.. all.Select(v => new SuiteVersionRow(v.Number, v.Digest, v.CreatedBy, v.CreatedAt, runs.GetValueOrDefault(v.Id)))], before is null ? [] : LineChanges.Between(before.Yaml, shown.Yaml));
    }
}
