using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Sweeps;

public sealed class StopSweep(IDbContextFactory<LlmOpsDb> dbs, AdvanceSweeps advance, ControlPipeline control, Hints hints, TimeProvider time)
{
    /// <summary>No further trial is started and those that run are cancelled. What was measured stays.</summary>
    public async Task StopAsync(string name, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        Guid id;
        List<Guid> runs;
        await using (var db = await dbs.CreateDbContextAsync(ct))
        {
            var sweep = await db.Sweeps.Include(s => s.Trials).SingleOrDefaultAsync(s => s.Name == name, ct) ?? throw LlmOpsException.NotFound("Sweep", name);
            if (sweep.State != SweepState.Running)
                throw new LlmOpsException(ErrorCode.ResourceConflict, $"{name} is {sweep.State}: there is nothing left to stop.");
            var now = time.GetUtcNow();
            id = sweep.Id;
            runs = [.. sweep.Trials.Where(t => t.State == TrialState.Running && t.PipelineRunId is not null).Select(t => t.PipelineRunId!.Value)];
            db.Record(actor, "stop", "sweep", name, now, new { sweep.State }, new { trials = sweep.Trials.Count });
            sweep.State = SweepState.Stopped;
            sweep.EndedAt = now;
            try
            {
                await db.SaveChangesAsync(ct);
            }
            catch (DbUpdateConcurrencyException e)
            {
                throw new LlmOpsException(ErrorCode.ResourceConflict, "The sweep changed in this moment. Look at it again, then repeat.", e);
            }
        }
        foreach (var run in runs)
        {
            try
            {
                await control.CancelAsync(run, actor, ct);
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
            {
                // It ended in this moment; whatever still runs is cancelled below.
            }
        }
        await advance.AdvanceAsync(id, ct);
        await hints.ChangedAsync(Areas.Sweep, id);
    }
}
