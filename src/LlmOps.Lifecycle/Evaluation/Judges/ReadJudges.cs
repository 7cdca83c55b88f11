using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Judges;

public sealed record CalibrationView(Guid Id, string Dataset, CalibrationReport Report, string CreatedBy, DateTimeOffset At);

/// <param name="Number">Of its newest version.</param>
/// <param name="Calibration">The newest one of that version; null when it is not calibrated.</param>
public sealed record JudgeRow(string Name, int Number, JudgeDocument Document, CalibrationView? Calibration, string CreatedBy, DateTimeOffset CreatedAt)
{
    public string Key => new VersionKey(Name, Number).ToString();
}

/// <param name="Numbers">All versions, newest first.</param>
/// <param name="Calibrations">Newest first.</param>
/// <param name="Suites">Suite versions with tasks that ask it, "name/number".</param>
public sealed record JudgeDetail(Guid Id, string Name, int Number, string Yaml, JudgeDocument Document, string Digest, string CreatedBy, DateTimeOffset CreatedAt,
    IReadOnlyList<int> Numbers, IReadOnlyList<CalibrationView> Calibrations, IReadOnlyList<string> Suites)
{
    public string Key => new VersionKey(Name, Number).ToString();
}

public sealed class ReadJudges(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<IReadOnlyList<JudgeRow>> ListAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var newest = await db.Judges.AsNoTracking().Where(j => j.Number == db.Judges.Where(o => o.Name == j.Name).Max(o => o.Number)).OrderBy(j => j.Name).ToListAsync(ct);
        var rows = new List<JudgeRow>();
        foreach (var judge in newest)
            rows.Add(new(judge.Name, judge.Number, judge.Document(), await CalibrationAsync(db, judge.Id, ct), judge.CreatedBy, judge.CreatedAt));
        return rows;
    }

    public async Task<JudgeDetail> GetAsync(string name, int? number = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var numbers = await db.Judges.Where(j => j.Name == name).OrderByDescending(j => j.Number).Select(j => j.Number).ToListAsync(ct);
        if (numbers.Count == 0)
            throw LlmOpsException.NotFound("Judge", name);
        var judge = await db.GetJudgeAsync(new VersionKey(name, number ?? numbers[0]).ToString(), ct);
        var key = $"{judge.Name}/{judge.Number}";
        var suites = await (from v in db.SuiteVersions.AsNoTracking()
                            join s in db.EvaluationSuites on v.SuiteId equals s.Id
                            where v.Yaml.Contains(key)
                            orderby s.Name, v.Number descending
                            select new { s.Name, v.Number, v.Yaml }).ToListAsync(ct);
        return new(judge.Id, judge.Name, judge.Number, Json.Read<JudgeDefinition>(judge.DefinitionJson).Yaml, judge.Document(), judge.Digest, judge.CreatedBy, judge.CreatedAt, numbers, await CalibrationsAsync(db, judge.Id, 100, ct),
            [.. suites.Where(s => Suites.SuiteDocument.Parse(s.Yaml).Tasks.Any(t => t.Judge == key)).Select(s => $"{s.Name}/{s.Number}")]);
    }

    /// <summary>The newest one.</summary>
    internal static async Task<CalibrationView?> CalibrationAsync(LlmOpsDb db, Guid judge, CancellationToken ct) => await CalibrationsAsync(db, judge, 1, ct) is [var newest, ..] ? newest : null;

    private static async Task<IReadOnlyList<CalibrationView>> CalibrationsAsync(LlmOpsDb db, Guid judge, int most, CancellationToken ct) =>
        [.. (await db.JudgeCalibrations.AsNoTracking().Where(c => c.JudgeId == judge).OrderByDescending(c => c.At).ThenByDescending(c => c.Id).Take(most).ToListAsync(ct))
            .Select(c => new CalibrationView(c.Id, c.Dataset, Json.Read<CalibrationReport>(c.ReportJson), c.CreatedBy, c.At))];
}
