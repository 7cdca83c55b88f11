using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Sweeps.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Sweeps;

/// <summary>
/// Writes down what became of trials whose runs are over and starts the next ones. Called after every stage that ends and by the clock; everything follows
/// from rows, so calling it too often changes nothing, and not calling it (a crash after a stage's end) only waits for the clock.
/// </summary>
public sealed class AdvanceSweeps(IDbContextFactory<LlmOpsDb> dbs, AdvancePipelines pipelines, ControlPipeline control, Hints hints, TimeProvider time)
{
    public async Task AdvanceAllAsync(CancellationToken ct = default)
    {
        List<Guid> open;
        await using (var db = await dbs.CreateDbContextAsync(ct))
            open = await db.Sweeps.Where(s => s.State == SweepState.Running || s.Trials.Any(t => t.State == TrialState.Running)).OrderBy(s => s.CreatedAt).Select(s => s.Id).ToListAsync(ct);
        foreach (var id in open)
            await AdvanceAsync(id, ct);
    }

    /// <summary>After a stage of that run ended. Most runs belong to no sweep, and then this is one look at an index.</summary>
    public async Task AfterStageAsync(Guid pipelineRunId, CancellationToken ct = default)
    {
        Guid? sweep;
        await using (var db = await dbs.CreateDbContextAsync(ct))
            sweep = await db.SweepTrials.Where(t => t.PipelineRunId == pipelineRunId).Select(t => (Guid?)t.SweepId).FirstOrDefaultAsync(ct);
        if (sweep is { } id)
            await AdvanceAsync(id, ct);
    }

    public async Task AdvanceAsync(Guid sweepId, CancellationToken ct = default)
    {
        // Each step is one transaction that leaves the sweep whole; one trial at a time, because the next point may depend on this one.
        while (await UniqueViolation.RetryAsync(() => StepAsync(sweepId, ct)) is { } step)
        {
            if (step.StartedRun is { } run)
                await pipelines.AdvanceAsync(run, ct);
            await hints.ChangedAsync(Areas.Sweep, sweepId);
        }
        await CancelLeftoversAsync(sweepId, ct);
    }

    private sealed record Step(Guid? StartedRun);

    /// <summary>Null when there was nothing to do.</summary>
    private async Task<Step?> StepAsync(Guid sweepId, CancellationToken ct)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var sweep = await db.Sweeps.Include(s => s.Trials).SingleOrDefaultAsync(s => s.Id == sweepId, ct);
        if (sweep is null)
            return null;
        var now = time.GetUtcNow();
        var pipeline = PipelineDocument.Parse(sweep.PipelineYaml);
        var settled = await SettleTrials.SettleAsync(db, sweep, pipeline, now, ct);
        if (sweep.State != SweepState.Running)
        {
            await db.SaveChangesAsync(ct);
            return settled ? new(null) : null;
        }
        var trials = sweep.Trials.OrderBy(t => t.Number).ToList();
        var plan = sweep.Plan();
        var (next, finished) = NextTrial.Of(plan, [.. trials.Select(t => Record(plan, t))]);
        PipelineRun? run = null;
        if (finished)
            End(db, sweep, trials, now);
        else if (next is not null)
            run = await StartAsync(db, sweep, plan, pipeline, next, now, ct);
        if (!db.ChangeTracker.HasChanges())
            return null;
        // Numbers of trials are unique and states are concurrency tokens: a second process that does the same fails here and re-reads.
        await db.SaveChangesAsync(ct);
        return new(run?.Id);
    }

    private static TrialRecord Record(SweepPlan plan, SweepTrial trial) => new(trial.Id, trial.Number, trial.Rung, trial.PromotedFromId,
        plan.Space.PointOf((JsonObject)JsonNode.Parse(trial.ParametersJson)!) ?? throw new InvalidOperationException($"Trial {trial.Number} has a parameter less than its sweep."),
        trial.State is not (TrialState.Planned or TrialState.Running), trial.State == TrialState.Succeeded ? trial.Value : null);

    private static void End(LlmOpsDb db, Sweep sweep, List<SweepTrial> trials, DateTimeOffset now)
    {
        var succeeded = trials.Count(t => t.State == TrialState.Succeeded);
        sweep.State = succeeded > 0 ? SweepState.Succeeded : SweepState.Failed;
        sweep.Error = succeeded > 0 ? null : $"None of {trials.Count} trials succeeded. Trial 1: {trials[0].Error}";
        sweep.EndedAt = now;
        db.Record(Actor.System, "end", "sweep", sweep.Name, now, after: new { sweep.State, trials = trials.Count, succeeded });
    }

    private static async Task<PipelineRun?> StartAsync(LlmOpsDb db, Sweep sweep, SweepPlan plan, PipelineDocument pipeline, PlannedTrial next, DateTimeOffset now, CancellationToken ct)
    {
        var metric = sweep.MetricOf();
        var shared = TrialDocument.Shared(pipeline, sweep.Stage, metric);
        var done = await SharedStages.FindAsync(db, sweep, shared, ct);
        if (done is null)
            return null;        // the first trial makes what all share; the others wait for it
        var parameters = TrialDocument.Parameters(pipeline, sweep.Stage, plan.Space, plan.Method == SweepMethods.Halving ? plan.Halving.Budget : null, next);
        var start = await PromotedTrial.FindAsync(db, sweep, pipeline, next.PromotedFromId, ct);
        var trial = new SweepTrial
        {
            SweepId = sweep.Id, Number = next.Number, Rung = next.Rung, PromotedFromId = next.PromotedFromId, ParametersJson = parameters.ToJsonString(), State = TrialState.Running, Error = start.WhyAnew, CreatedAt = now,
        };
        db.SweepTrials.Add(trial);
        var name = TrialDocument.PipelineName(sweep.Name);
        var yaml = TrialDocument.ToYaml(pipeline, name, $"Trial {next.Number} of the sweep {sweep.Name}.", sweep.Stage, metric, PromotedTrial.With(parameters, start));
        var problems = new List<FieldProblem>();
        if (PipelineDocument.TryParse(yaml, problems) is null)
        {
            // Values that are each allowed may not fit together: 5 heads in 64 columns. That point is a result too, and the sweep goes on.
            trial.State = TrialState.Failed;
            trial.Error = string.Join(" ", problems.Select(p => p.Message));
            trial.EndedAt = now;
            return null;
        }
        var definition = await db.PipelineDefinitions.SingleAsync(d => d.Name == name, ct);
        var run = await StartPipeline.PrepareAsync(db, definition, yaml, new Actor(sweep.CreatedById, sweep.CreatedBy, new HashSet<Permission>()), now, ct);
        SharedStages.TakeOver(run, done, now);
        trial.PipelineRunId = run.Id;
        return run;
    }

    /// <summary>A trial that was started in the moment in which its sweep ended runs for nobody.</summary>
    private async Task CancelLeftoversAsync(Guid sweepId, CancellationToken ct)
    {
        List<Guid> runs;
        await using (var db = await dbs.CreateDbContextAsync(ct))
            runs = await (from t in db.SweepTrials
                          join r in db.PipelineRuns on t.PipelineRunId equals (Guid?)r.Id
                          where t.SweepId == sweepId && t.Sweep!.State != SweepState.Running && (r.State == PipelineState.Running || r.State == PipelineState.WaitingForApproval)
                              && !r.Stages.Any(s => db.Jobs.Any(j => j.Id == s.JobId && j.CancelRequested))
                          select r.Id).ToListAsync(ct);
        foreach (var run in runs)
        {
            try
            {
                await control.CancelAsync(run, Actor.System, ct);
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
            {
                // It ended in this moment, which is what was wanted; or it changed, and the next look cancels it.
            }
        }
    }
}
