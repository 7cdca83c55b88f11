using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <summary>Queues a comparison outside of any pipeline: large sets take minutes, and a worker has the time.</summary>
public sealed class StartContaminationCheck(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    /// <returns>The job's id; its reports are in the ledger as soon as each is there.</returns>
    public async Task<Guid> StartAsync(CheckContaminationParameters parameters, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        if (parameters.Problems().FirstOrDefault() is { } problem)
            throw LlmOpsException.Invalid($"{problem.Path}: {problem.Message}");
        await using var db = await dbs.CreateDbContextAsync(ct);
        // What does not exist is refused now, to whoever asks, and not later in a job's log.
        foreach (var id in Runs(parameters))
            if (!await db.EvaluationRuns.AnyAsync(r => r.Id == id, ct))
                throw LlmOpsException.NotFound("Evaluation run", id);
        if (parameters.Runs.Length == 0)
            await ReadContamination.ScopeAsync(db, Question(parameters), ct);
        var now = time.GetUtcNow();
        var job = Job.Queue("check-contamination", Json.Write(new StageSpec(Guid.Empty, Guid.Empty, "", "check-contamination", "", Json.Write(parameters))), actor, now);
        db.Jobs.Add(job);
        db.Record(actor, "start", "contamination-check", job.Id, now, after: new { parameters.Runs, parameters.Dataset, parameters.Suite, parameters.Version });
        await db.SaveChangesAsync(ct);
        await hints.JobReadyAsync(job.Id, job.Needs);
        return job.Id;
    }

    public static IReadOnlyList<Guid> Runs(CheckContaminationParameters parameters) => [.. parameters.Runs.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        .Select(text => Guid.TryParse(text, out var id) ? id : throw LlmOpsException.Invalid($"'{text}' is not the id of an evaluation run."))];

    public static ContaminationQuestion Question(CheckContaminationParameters parameters) => new(parameters.Dataset, parameters.Suite, parameters.Version);
}
