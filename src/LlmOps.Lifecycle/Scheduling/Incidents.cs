using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>A row that the candidate answered worse than the baseline did.</summary>
public sealed record BrokenRow(string Task, string Key, string? Slice, string? Prompt, string? Expected, string? Before, string? After, double BeforeScore, double AfterScore);

/// <param name="Firings">Due times of the firings that failed, oldest first.</param>
public sealed record IncidentDetail(string Schedule, string Candidate, string? Baseline, IReadOnlyList<RuleResult> Reasons, IReadOnlyList<BrokenRow> Rows, int RowsWorse, IReadOnlyList<DateTimeOffset> Firings, Guid? PipelineRunId);

/// <summary>What a verdict does to the incident of its schedule: a fail opens or updates it, a pass closes it, and "cannot tell" leaves it.</summary>
internal static class Incidents
{
    public const int MostRows = 20;

    public static async Task<Incident?> ApplyAsync(LlmOpsDb db, Schedule schedule, ScheduleFiring firing, FiringResult result, DateTimeOffset now, CancellationToken ct)
    {
        var open = await db.Incidents.Where(i => i.ScheduleId == schedule.Id && i.ResolvedAt == null).OrderBy(i => i.OpenedAt).FirstOrDefaultAsync(ct);
        if (firing.Verdict == Verdict.Pass && open is not null)
        {
            open.ResolvedAt = now;
            open.ResolvedBy = Identity.Actor.System.Name;
            var said = $"The firing due {firing.DueAt.UtcDateTime:yyyy-MM-dd HH:mm} UTC passed: closed without a person.";
            open.Note = open.Note is null ? said : $"{open.Note}\n{said}";
            db.Record(Identity.Actor.System, "resolve", "incident", open.Id, now, after: new { note = said });
            return open;
        }
        if (firing.Verdict != Verdict.Fail)
            return null;
        var detail = await DetailAsync(db, schedule, firing, result, ct);
        var title = $"{detail.Candidate} regressed on {schedule.Name}";
        if (open is null)
        {
            db.Incidents.Add(open = new Incident
            {
                Title = title, ScheduleId = schedule.Id, EvaluationRunId = result.CandidateRunId, BaselineRunId = result.BaselineRunId, DetailJson = Json.Write(detail), OpenedAt = now,
            });
            db.Record(Identity.Actor.System, "open", "incident", open.Id, now, after: new { open.Title });
            return open;
        }
        open.Title = title;
        open.EvaluationRunId = result.CandidateRunId;
        open.BaselineRunId = result.BaselineRunId;
        open.DetailJson = Json.Write(detail with { Firings = [.. Json.Read<IncidentDetail>(open.DetailJson).Firings, firing.DueAt] });
        db.Record(Identity.Actor.System, "update", "incident", open.Id, now, after: new { open.Title });
        return open;
    }

    private static async Task<IncidentDetail> DetailAsync(LlmOpsDb db, Schedule schedule, ScheduleFiring firing, FiringResult result, CancellationToken ct)
    {
        var candidate = await db.EvaluationRuns.AsNoTracking().SingleAsync(r => r.Id == result.CandidateRunId, ct);
        var baseline = await db.EvaluationRuns.AsNoTracking().SingleOrDefaultAsync(r => r.Id == result.BaselineRunId, ct);
        var broken = baseline is null ? [] : await BrokenAsync(db, candidate, baseline, result.Reasons, ct);
        return new(schedule.Name, await NameAsync(db, candidate, ct), baseline is null ? null : await NameAsync(db, baseline, ct), result.Reasons,
            [.. broken.Take(MostRows)], broken.Count, [firing.DueAt], firing.PipelineRunId);
    }

    private static async Task<string> NameAsync(LlmOpsDb db, EvaluationRun run, CancellationToken ct) =>
        $"{(await db.ModelVersions.AsNoTracking().Include(v => v.Model).SingleAsync(v => v.Id == run.VersionId, ct)).Key()} {run.VariantName}";

    /// <summary>Rows of the metrics that failed, the greatest loss first.</summary>
    private static async Task<List<BrokenRow>> BrokenAsync(LlmOpsDb db, EvaluationRun candidate, EvaluationRun baseline, IReadOnlyList<RuleResult> reasons, CancellationToken ct)
    {
        var described = candidate.TasksJson is { } json ? Json.Read<List<EvaluationTask>>(json).Select(t => (Stored: t.FullName, Task: t)) : EvaluationTasks.All.Select(t => (Stored: t.Name, Task: t));
        var failing = described.Where(t => reasons.Any(r => r.Verdict == Verdict.Fail && r.Rule.Contains(t.Task.FullName, StringComparison.Ordinal))).ToList();
        var rows = new List<(double Loss, BrokenRow Row)>();
        foreach (var (stored, task) in failing)
        {
            var pairs = await (from a in db.RowScores.AsNoTracking()
                               join b in db.RowScores.AsNoTracking() on new { a.Task, a.RowKey } equals new { b.Task, b.RowKey }
                               where a.EvaluationRunId == baseline.Id && b.EvaluationRunId == candidate.Id && a.Task == stored && a.State == RowState.Scored && b.State == RowState.Scored
                               select new { a.RowKey, b.Slice, Before = a.Value, BeforeWeight = a.Weight, After = b.Value, AfterWeight = b.Weight }).ToListAsync(ct);
            double Score(double value, double weight) => task.IsRatio && weight != 0 ? value / weight : value;
            rows.AddRange(pairs.Select(p =>
            {
                var (before, after) = (Score(p.Before, p.BeforeWeight), Score(p.After, p.AfterWeight));
                return (task.HigherIsBetter ? before - after : after - before, new BrokenRow(stored, p.RowKey, p.Slice, null, null, null, null, before, after));
            }).Where(p => p.Item1 > 0));
        }
        var worst = rows.OrderByDescending(r => r.Loss).ThenBy(r => r.Row.Key, StringComparer.Ordinal).Select(r => r.Row).ToList();
        for (var i = 0; i < Math.Min(worst.Count, MostRows); i++)
            worst[i] = await WithTextAsync(db, candidate.Id, baseline.Id, worst[i], ct);
        return worst;
    }

    /// <summary>The texts of a row with several metrics are stored with the first of them.</summary>
    private static async Task<BrokenRow> WithTextAsync(LlmOpsDb db, Guid candidate, Guid baseline, BrokenRow row, CancellationToken ct)
    {
        var task = row.Task.Split('.')[0];
        var texts = await db.RowScores.AsNoTracking().Where(r => (r.EvaluationRunId == candidate || r.EvaluationRunId == baseline) && r.RowKey == row.Key && (r.Task == task || r.Task.StartsWith(task + ".")) && (r.Prompt != null || r.Answer != null))
            .Select(r => new { r.EvaluationRunId, r.Prompt, r.Expected, r.Answer }).ToListAsync(ct);
        var (after, before) = (texts.FirstOrDefault(t => t.EvaluationRunId == candidate), texts.FirstOrDefault(t => t.EvaluationRunId == baseline));
        return row with { Prompt = after?.Prompt ?? before?.Prompt, Expected = after?.Expected ?? before?.Expected, Before = before?.Answer, After = after?.Answer };
    }
}
