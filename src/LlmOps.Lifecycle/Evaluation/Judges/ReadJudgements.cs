using System.Globalization;
using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Suites;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>What has to be known beside the numbers of a task that a judge had a part in.</summary>
/// <param name="Metrics">Full names of the task's metrics.</param>
/// <param name="Calibration">The newest one of this version of the judge; null when it is not calibrated.</param>
/// <param name="Corrected">The rate people would have found, as far as the calibration tells, with the name of what it corrects.</param>
public sealed record JudgeStatement(string Task, string Judge, IReadOnlyList<string> Metrics, JudgeConduct Conduct, CalibrationView? Calibration, Estimate? Corrected, string? CorrectedName)
{
    public string Words
    {
        get
        {
            var c = CultureInfo.InvariantCulture;
            if (Calibration is not { } calibration)
                return $"The judge {Judge} is not calibrated: nobody knows how far its verdicts agree with people.";
            var kappa = calibration.Report.Kappa;
            var agreement = kappa.Value is { } value ? string.Create(c, $"κ = {value:0.00} ({kappa.Low:0.00} to {kappa.High:0.00})") : "no agreement beyond chance can be worked out";
            return string.Create(c, $"The judge {Judge} is calibrated on {kappa.N} rows of {calibration.Dataset}: {agreement}, sensitivity {calibration.Report.Sensitivity:0.00}, specificity {calibration.Report.Specificity:0.00}.");
        }
    }

    /// <summary>Short enough to stand beside a score; null when there is nothing to warn of.</summary>
    public string? Warning => Calibration is null ? $"judge {Judge} is not calibrated" : Calibration.Report.Kappa is not { Low: > 0 } ? $"judge {Judge} agrees with people no better than chance" : null;
}

/// <summary>The judges of a run, with their calibration as it is known today.</summary>
public sealed class ReadJudgements(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<IReadOnlyList<JudgeStatement>> OfRunAsync(Guid run, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await OfRunAsync(db, run, ct);
    }

    /// <summary>Metric → warning, for those that have one.</summary>
    internal static async Task<IReadOnlyDictionary<string, string>> WarningsAsync(LlmOpsDb db, EvaluationRun run, CancellationToken ct) =>
        (await OfRunAsync(db, run.Id, ct)).Where(s => s.Warning is not null).SelectMany(s => s.Metrics.Select(m => (m, s.Warning!))).ToDictionary();

    internal static async Task<IReadOnlyList<JudgeStatement>> OfRunAsync(LlmOpsDb db, Guid id, CancellationToken ct)
    {
        var run = await db.EvaluationRuns.AsNoTracking().Include(r => r.Metrics).SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw LlmOpsException.NotFound("Evaluation run", id);
        var conducts = JudgedTasks.Parse(run.DetailJson);
        if (conducts.Count == 0)
            return [];
        var suite = SuiteDocument.Parse(await db.SuiteVersions.Where(v => v.Id == run.SuiteVersionId).Select(v => v.Yaml).SingleAsync(ct));
        var statements = new List<JudgeStatement>();
        foreach (var task in suite.Tasks.Where(t => conducts.ContainsKey(t.Name)))
        {
            var judge = await db.GetJudgeAsync(task.Judge!, ct);
            var calibration = await ReadJudges.CalibrationAsync(db, judge.Id, ct);
            var (corrected, name) = calibration is null ? (null, null) : await CorrectAsync(db, run, task, calibration.Report, ct);
            statements.Add(new(task.Name, task.Judge!, [.. task.Measures.Select(m => m.FullName)], conducts[task.Name], calibration, corrected, name));
        }
        return statements;
    }

    private static async Task<(Estimate?, string?)> CorrectAsync(LlmOpsDb db, EvaluationRun run, SuiteTask task, CalibrationReport report, CancellationToken ct)
    {
        if (task.Kind == JudgeKinds.Score)
        {
            var metric = task.Metrics.FirstOrDefault(m => m.Name == "acceptable");
            return metric is not null && run.Metrics.FirstOrDefault(m => m.Name == $"{task.Name}.acceptable") is { } found
                ? (report.Correct(found, metric.Name, double.Parse(metric.Options[JudgeKinds.AtLeast], CultureInfo.InvariantCulture)), "acceptable") : (null, null);
        }
        var rows = db.RowScores.Where(r => r.EvaluationRunId == run.Id && r.Task == $"{task.Name}.win_rate" && r.State == RowState.Scored);
        return (report.CorrectWins(await rows.CountAsync(r => r.Value == 1, ct), await rows.CountAsync(r => r.Value != 0.5, ct)), "wins among decided rows");
    }
}
