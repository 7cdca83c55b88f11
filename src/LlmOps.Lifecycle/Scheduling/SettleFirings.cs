using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>
/// Writes down what became of firings whose run is over: verdict, incident and alerts in one transaction. Called by the clock; a beat
/// that is lost is made up for by the next, and of two that come together the guard lets one through.
/// </summary>
public sealed class SettleFirings(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task<int> SettleAsync(CancellationToken ct = default)
    {
        List<Guid> over;
        await using (var db = await dbs.CreateDbContextAsync(ct))
            over = await (from f in db.ScheduleFirings
                          join r in db.PipelineRuns on f.PipelineRunId equals (Guid?)r.Id
                          where f.ResultJson == null && (r.State == PipelineState.Succeeded || r.State == PipelineState.Failed || r.State == PipelineState.Cancelled)
                          orderby f.DueAt
                          select f.Id).Take(100).ToListAsync(ct);
        var settled = 0;
        foreach (var id in over)
            if (await SettleAsync(id, ct))
                settled++;
        return settled;
    }

    private async Task<bool> SettleAsync(Guid id, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        var firing = await db.ScheduleFirings.AsNoTracking().SingleAsync(f => f.Id == id, ct);
        // Takes the schedule's row first: two firings of one schedule must not open two incidents.
        if (0 == await db.Schedules.Where(s => s.Id == firing.ScheduleId).ExecuteUpdateAsync(s => s.SetProperty(x => x.LastError, x => x.LastError), ct))
        {
            await db.ScheduleFirings.Where(f => f.Id == id).ExecuteUpdateAsync(s => s.SetProperty(f => f.ResultJson, Json.Write(new FiringResult(PipelineState.Cancelled))), ct);
            await transaction.CommitAsync(ct);
            return false; // the schedule is gone, and with it who wanted to know
        }
        var schedule = await db.Schedules.AsNoTracking().SingleAsync(s => s.Id == firing.ScheduleId, ct);
        var now = time.GetUtcNow();
        var (verdict, result) = await ResultAsync(db, firing, ct);
        firing.Verdict = verdict;
        var incident = await Incidents.ApplyAsync(db, schedule, firing, result, now, ct);
        result = result with { IncidentId = incident?.Id };
        firing.ResultJson = Json.Write(result);
        if (0 == await db.ScheduleFirings.Where(f => f.Id == id && f.ResultJson == null)
                .ExecuteUpdateAsync(s => s.SetProperty(f => f.Verdict, verdict).SetProperty(f => f.ResultJson, firing.ResultJson), ct))
            return false;
        await RaiseAlerts.AddAsync(db, schedule, firing, result, now, ct);
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
        await hints.ChangedAsync(Areas.Schedule, schedule.Id);
        return true;
    }

    private static async Task<(Verdict? Verdict, FiringResult Result)> ResultAsync(LlmOpsDb db, ScheduleFiring firing, CancellationToken ct)
    {
        var run = await db.PipelineRuns.AsNoTracking().Include(r => r.Stages).SingleAsync(r => r.Id == firing.PipelineRunId, ct);
        var failed = run.Stages.Where(s => s.State == StageState.Failed).OrderBy(s => s.Ordinal).FirstOrDefault();
        var result = new FiringResult(run.State) { Error = failed is null ? null : $"{failed.Name}: {failed.Error}" };
        var compared = run.Stages.FirstOrDefault(s => s is { Name: RegressionPlan.CompareStage, Kind: "compare-runs", State: StageState.Succeeded, OutputsJson: not null });
        if (compared is null)
            return (null, result);
        var outputs = Json.Read<Dictionary<string, string>>(compared.OutputsJson!);
        var candidate = Guid.Parse(outputs["candidate"]);
        var metrics = await db.EvaluationMetrics.AsNoTracking().Where(m => m.EvaluationRunId == candidate).OrderBy(m => m.Name).Select(m => new FiringMetric(m.Name, m.Value, m.HigherIsBetter)).ToListAsync(ct);
        return (Enum.Parse<Verdict>(outputs["verdict"]), result with
        {
            CandidateRunId = candidate, BaselineRunId = Guid.TryParse(outputs["baseline"], out var baseline) ? baseline : null,
            Reasons = Json.Read<List<RuleResult>>(outputs["reasons"]), Metrics = metrics,
        });
    }
}
