using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Sweeps;

/// <summary>Reads from the runs of a sweep's trials what became of them. Adds to what the caller saves.</summary>
internal static class SettleTrials
{
    /// <returns>Whether a row was changed.</returns>
    public static async Task<bool> SettleAsync(LlmOpsDb db, Sweep sweep, PipelineDocument pipeline, DateTimeOffset now, CancellationToken ct)
    {
        var changed = false;
        var metric = sweep.MetricOf();
        foreach (var trial in sweep.Trials.Where(t => t.State == TrialState.Running).OrderBy(t => t.Number))
        {
            var run = await db.PipelineRuns.AsNoTracking().Include(r => r.Stages).SingleAsync(r => r.Id == trial.PipelineRunId, ct);
            changed |= await LinkAsync(db, trial, run, sweep.Stage, ct);
            if (!run.IsOver)
                continue;
            changed = true;
            trial.EndedAt = run.EndedAt ?? now;
            (trial.State, trial.Value, trial.Error) = run.State switch
            {
                PipelineState.Succeeded => await ValueAsync(db, sweep, trial, run, metric, ct) switch
                {
                    ({ } value, _) => (TrialState.Succeeded, value, trial.Error),
                    (null, var error) => (TrialState.Failed, (double?)null, error),
                },
                PipelineState.Cancelled => (TrialState.Stopped, null, "Its run was cancelled."),
                _ => (TrialState.Failed, null, Failure(run)),
            };
            FailWithSharedStage(db, sweep, pipeline, trial, run, metric, now);
        }
        return changed;
    }

    /// <summary>The training's curve is worth a look while it is drawn.</summary>
    private static async Task<bool> LinkAsync(LlmOpsDb db, SweepTrial trial, PipelineRun run, string stage, CancellationToken ct)
    {
        var job = run.Stages.Single(s => s.Name == stage).JobId;
        if (job is null || await db.Runs.SingleOrDefaultAsync(r => r.JobId == job, ct) is not { } curve || trial.RunId == curve.Id)
            return false;
        trial.RunId = curve.Id;
        curve.SweepTrialId = trial.Id;
        return true;
    }

    private static string Failure(PipelineRun run) =>
        run.Stages.Where(s => s.State == StageState.Failed).OrderBy(s => s.Ordinal).FirstOrDefault() is { } failed ? $"{failed.Name}: {failed.Error}" : "Its run failed.";

    /// <summary>What all trials need has failed: the next one would fail in the same way.</summary>
    private static void FailWithSharedStage(LlmOpsDb db, Sweep sweep, PipelineDocument pipeline, SweepTrial trial, PipelineRun run, SweepMetric metric, DateTimeOffset now)
    {
        var shared = TrialDocument.Shared(pipeline, sweep.Stage, metric);
        if (sweep.State != SweepState.Running || run.Stages.FirstOrDefault(s => s.State == StageState.Failed && shared.Contains(s.Name)) is not { } failed)
            return;
        sweep.State = SweepState.Failed;
        sweep.Error = $"{failed.Name}, which every trial needs, failed: {failed.Error} Mend that, then start the sweep again under another name.";
        sweep.EndedAt = now;
        db.Record(Actor.System, "end", "sweep", sweep.Name, now, after: new { sweep.State, trial = trial.Number });
    }

    private static async Task<(double? Value, string? Error)> ValueAsync(LlmOpsDb db, Sweep sweep, SweepTrial trial, PipelineRun run, SweepMetric metric, CancellationToken ct)
    {
        var (value, known) = metric.MeasuredBy is null ? await CurveAsync(db, sweep, trial, metric, ct) : await EvaluationAsync(db, run, metric, ct);
        if (value is { } number && double.IsFinite(number))
            return (number, null);
        return (null, value is not null ? $"{metric.Name} is no number." : $"There is no {metric.Name}. {(known.Count == 0 ? "Nothing was measured." : $"Measured: {string.Join(", ", known)}.")}");
    }

    private static async Task<(double? Value, List<string> Known)> CurveAsync(LlmOpsDb db, Sweep sweep, SweepTrial trial, SweepMetric metric, CancellationToken ct)
    {
        var points = db.Metrics.AsNoTracking().Where(m => m.RunId == trial.RunId && m.Key == metric.Name && !m.IsNan);
        double? value = metric.Take == SweepMetric.Last ? await points.OrderByDescending(m => m.Step).Select(m => (double?)m.Value).FirstOrDefaultAsync(ct)
            : sweep.Minimise ? await points.MinAsync(m => (double?)m.Value, ct) : await points.MaxAsync(m => (double?)m.Value, ct);
        // A training that went on from the rung below has one curve with it: no point is missing where nothing was left to do, and its best may lie there.
        if (PromotedTrial.Continued(sweep, trial)?.Value is { } below)
            value = value is not { } own || metric.Take == SweepMetric.Last ? value ?? below : sweep.Minimise ? Math.Min(own, below) : Math.Max(own, below);
        return (value, value is not null ? [] : await db.Metrics.AsNoTracking().Where(m => m.RunId == trial.RunId).Select(m => m.Key).Distinct().OrderBy(k => k).ToListAsync(ct));
    }

    private static async Task<(double? Value, List<string> Known)> EvaluationAsync(LlmOpsDb db, PipelineRun run, SweepMetric metric, CancellationToken ct)
    {
        var job = run.Stages.Single(s => s.Name == metric.MeasuredBy).JobId;
        var measured = await db.EvaluationRuns.AsNoTracking().Where(r => r.JobId == job && r.State == JobState.Succeeded && (metric.Variant == null || r.VariantName == metric.Variant))
            .OrderBy(r => r.Repeat).SelectMany(r => r.Metrics).Select(m => new { m.Name, m.Value }).ToListAsync(ct);
        // Repeats of one measurement: their mean is the better number.
        var values = measured.Where(m => m.Name == metric.Name).Select(m => m.Value).ToList();
        return (values.Count == 0 ? null : values.Average(), [.. measured.Select(m => m.Name).Distinct().Order()]);
    }
}
