using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>Queues a calibration outside of any pipeline.</summary>
public sealed class StartCalibration(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    /// <returns>The job's id.</returns>
    public async Task<Guid> StartAsync(CalibrateJudgeParameters parameters, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        await CheckAsync(db, parameters, ct);
        var now = time.GetUtcNow();
        var job = Job.Queue("calibrate-judge", Json.Write(new StageSpec(Guid.Empty, Guid.Empty, "", "calibrate-judge", "", Json.Write(parameters))), actor, now);
        db.Jobs.Add(job);
        db.Record(actor, "start", "judge-calibration", job.Id, now, after: new { parameters.Judge, parameters.Preferences });
        await db.SaveChangesAsync(ct);
        await hints.JobReadyAsync(job.Id, job.Needs);
        return job.Id;
    }

    /// <summary>What does not exist or does not fit is refused now, to whoever asks.</summary>
    public static async Task<(Judge Judge, DatasetVersion Labels)> CheckAsync(LlmOpsDb db, CalibrateJudgeParameters parameters, CancellationToken ct)
    {
        var judge = await db.GetJudgeAsync(parameters.Judge, ct);
        var labels = await db.DatasetVersions.GetAsync(parameters.Preferences, ct);
        if (await db.Datasets.Where(d => d.Id == labels.DatasetId).Select(d => d.Kind).SingleAsync(ct) is var kind && kind != DatasetKind.Preference)
            throw LlmOpsException.Invalid($"{parameters.Preferences} is a dataset of kind {kind}. A judge is calibrated on preferences: rows in which somebody chose one of two answers.");
        if (parameters.AtLeast > judge.Document().Scale)
            throw LlmOpsException.Invalid($"The scale of {parameters.Judge} ends at {judge.Document().Scale}: no answer would count as good.");
        return (judge, labels);
    }
}
