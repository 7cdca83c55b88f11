using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Runs a suite on forms of a version, outside of any pipeline.</summary>
public sealed class StartSuiteRun(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    /// <returns>The job's id; its evaluation runs appear as it starts each of them.</returns>
    public async Task<Guid> StartAsync(EvaluateSuiteParameters parameters, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        if (parameters.Problems().FirstOrDefault() is { } problem)
            throw LlmOpsException.Invalid($"{problem.Path}: {problem.Message}");
        await using var db = await dbs.CreateDbContextAsync(ct);
        await db.GetSuiteAsync(parameters.Suite, ct);
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(parameters.Version), ct);
        var variants = await db.ModelVariants.Where(v => v.VersionId == version.Id).Select(v => v.Name).ToListAsync(ct);
        if (parameters.Variants.FirstOrDefault(name => name is not ("all" or "checkpoint") && !variants.Contains(name)) is { } missing)
            throw LlmOpsException.NotFound($"Variant of {parameters.Version}", missing);
        var now = time.GetUtcNow();
        var job = Job.Queue("evaluate-suite", Json.Write(new StageSpec(Guid.Empty, Guid.Empty, "", "evaluate-suite", "", Json.Write(parameters))), actor, now);
        db.Jobs.Add(job);
        db.Record(actor, "start", "suite-run", job.Id, now, after: new { parameters.Suite, parameters.Version, parameters.Variants, parameters.Repeats });
        await db.SaveChangesAsync(ct);
        await hints.JobReadyAsync(job.Id, job.Needs);
        return job.Id;
    }

    /// <summary>
    /// Measures again what has no value: rows that failed, and rows that were not reached when the run was cancelled or failed. Finished rows are not touched.
    /// </summary>
    /// <returns>How many rows had failed.</returns>
    public async Task<int> RetryMissingAsync(Guid runId, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await db.EvaluationRuns.AsNoTracking().SingleOrDefaultAsync(r => r.Id == runId, ct) ?? throw LlmOpsException.NotFound("Evaluation run", runId);
        if (run.SuiteVersionId is null)
            throw LlmOpsException.Invalid("This run measured no suite, so it has no missing rows. Re-run its stage instead.");
        await using var transaction = await db.Database.BeginTransactionAsync(ct);
        // The missing rows go and the job waits again in one transaction: the worker measures whatever is not there.
        var now = time.GetUtcNow();
        var queued = await db.Jobs.Where(j => j.Id == run.JobId && (j.State == JobState.Succeeded || j.State == JobState.Failed || j.State == JobState.Cancelled)).ExecuteUpdateAsync(s => s
            .SetProperty(j => j.State, JobState.Queued).SetProperty(j => j.Attempt, 0).SetProperty(j => j.CancelRequested, false).SetProperty(j => j.NotBefore, (DateTimeOffset?)null)
            .SetProperty(j => j.Error, (string?)null).SetProperty(j => j.ResultJson, (string?)null).SetProperty(j => j.EndedAt, (DateTimeOffset?)null).SetProperty(j => j.Progress, 0), ct);
        if (queued == 0)
            throw new LlmOpsException(ErrorCode.ResourceConflict, "The run is still going on. Wait until it is over, or cancel it.");
        var missing = await db.RowScores.Where(r => r.EvaluationRunId == runId && r.State == RowState.Missing).ExecuteDeleteAsync(ct);
        db.Record(actor, "retry-missing", "evaluation-run", runId, now, after: new { missing });
        await db.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
        await hints.JobReadyAsync(run.JobId, "cpu");
        await hints.ChangedAsync(Areas.Evaluation, runId);
        return missing;
    }
}
