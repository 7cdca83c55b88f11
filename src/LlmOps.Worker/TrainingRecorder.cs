using System.Text.Json;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Training;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker;

/// <summary>Runs a training with its curve, samples and checkpoints written while it runs, and publishes the checkpoint as a version at the end.</summary>
public sealed class TrainingRecorder(ArtifactStore artifacts, CheckpointFolders checkpoints, Hints hints, WorkerSettings settings)
{
    public int Threads => settings.Threads;

    /// <summary>Trains on from a version. The result is that model's next version, or the named model's.</summary>
    public Task TrainAndPublishAsync(JobContext job, StageSpec spec, StageParameters parameters, TrainingSource from,
        Func<string, string, ITrainingWatch, CancellationToken, TrainingReport> train, CancellationToken ct, string? model = null) =>
        TrainAndPublishAsync(job, spec, parameters, model ?? from.Version.Model!.Name, job.Job.Kind, from.TrainedOn, from.Version.Licence, from.Version.Id, train, ct);

    public async Task TrainAndPublishAsync(JobContext job, StageSpec spec, StageParameters parameters, string model, string stage, string trainedOn, string licence, Guid? parent,
        Func<string, string, ITrainingWatch, CancellationToken, TrainingReport> train, CancellationToken ct)
    {
        var run = await StartRunAsync(job, spec, parameters, ct);
        var target = Path.Combine(job.WorkFolder, "checkpoint");
        var watch = new TrainingRecord(job, await StartFromAsync(job, parameters as TrainingParameters, ct));
        var training = Task.Factory.StartNew(() => train(target, Directory.CreateDirectory(Path.Combine(job.WorkFolder, "training")).FullName, watch, ct),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        while (!training.IsCompleted)
        {
            await Task.WhenAny(training, Task.Delay(1000, CancellationToken.None));
            await FlushAsync(job, run, watch, CancellationToken.None);
        }
        // The training may end while the last news are written; what it said then, its last checkpoint above all, is still to be stored.
        await FlushAsync(job, run, watch, CancellationToken.None);
        var report = await AwaitedAsync(job, run, training);
        job.Log($"{report.Steps} steps, {report.Tokens:N0} tokens in {report.Seconds:0.0} s ({report.TokensPerSecond:N0} tokens/s); final loss {report.FinalLoss:0.0000}; weights {report.WeightsSha256[..12]}."
            + (report.ResumedFromStep > 0 ? $" Resumed from step {report.ResumedFromStep}." : ""));
        job.Log(report.VerdictText);
        var stored = await artifacts.PutFolderAsync(target, ct);
        var size = Engines.SmallModels.SmallModelConfig.TryRead(target)?.ParameterCount ?? Engines.Checkpoints.ModelConfig.Read(target).ParameterCount;
        await job.CompleteAsync(async db =>
        {
            await db.AddMetricsAsync(run, watch.Take().Points, job.Time.GetUtcNow(), ct);
            await EndRunAsync(db, run, RunState.Succeeded, report.Verdict, report.VerdictText, job.Time.GetUtcNow(), ct);
            var version = await db.AddVersionAsync(new NewVersion(model, stage, stored, size, $"{spec.PipelineName}: {spec.StageName}", trainedOn, licence,
                Json.Write(report), parent, run, job.JobId), job.Actor, job.Time.GetUtcNow(), ct);
            return new Dictionary<string, string> { ["version"] = version.Key().ToString() };
        }, ct);
        await hints.ChangedAsync(Areas.Model, Guid.Empty);
    }

    private async Task<string?> StartFromAsync(JobContext job, TrainingParameters? parameters, CancellationToken ct)
    {
        if (parameters is null || parameters.ResumeFrom.Length == 0)
            return null;
        await using var db = await job.OpenDbAsync(ct);
        var id = Guid.Parse(parameters.ResumeFrom);
        var trial = await (from j in db.Jobs join s in db.StageRuns on j.StageRunId equals (Guid?)s.Id join t in db.SweepTrials on (Guid?)s.PipelineRunId equals t.PipelineRunId
                           where j.Id == job.JobId select (Guid?)t.Id).SingleOrDefaultAsync(ct);
        if (trial is null || await checkpoints.FindFolderAsync(db, id, ct) is { } found)
            return await checkpoints.FolderAsync(db, id, ct);
        // Nobody chose this checkpoint: a trial whose lower rung was trained on another machine's disk is still worth its number.
        var why = "Started anew: the checkpoint of the rung below does not lie on the worker's disk.";
        job.Log(why, "warning");
        await job.SaveAsync(db => db.SweepTrials.Where(t => t.Id == trial).ExecuteUpdateAsync(s => s.SetProperty(t => t.Error, why), ct), ct);
        return null;
    }

    /// <summary>What is wrong with a training that failed is the run's verdict as much as how a finished one went.</summary>
    private static async Task<TrainingReport> AwaitedAsync(JobContext job, Guid run, Task<TrainingReport> training)
    {
        try
        {
            return await training;
        }
        catch (TrainingFailedException e)
        {
            await job.SaveAsync(db => EndRunAsync(db, run, RunState.Failed, e.Verdict, e.Message, job.Time.GetUtcNow(), CancellationToken.None), CancellationToken.None);
            throw;
        }
    }

    private static Task EndRunAsync(LlmOpsDb db, Guid run, RunState state, TrainingVerdict verdict, string text, DateTimeOffset now, CancellationToken ct)
    {
        var word = JsonNamingPolicy.KebabCaseLower.ConvertName(verdict.ToString());
        return db.Runs.Where(r => r.Id == run).ExecuteUpdateAsync(s => s
            .SetProperty(r => r.State, state).SetProperty(r => r.EndedAt, now).SetProperty(r => r.Verdict, word).SetProperty(r => r.VerdictText, text), ct);
    }

    private static async Task<Guid> StartRunAsync(JobContext job, StageSpec spec, StageParameters parameters, CancellationToken ct)
    {
        var given = JsonSerializer.SerializeToElement(parameters, parameters.GetType(), Json.Options);
        var named = given.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.ToString());
        Guid id = default;
        await job.SaveAsync(async db => id = (await db.EnsureRunAsync(spec.PipelineName, spec.StageName, job.JobId, job.Actor.Name, named, job.Time.GetUtcNow(), ct)).Id, ct);
        return id;
    }

    private async Task FlushAsync(JobContext job, Guid run, TrainingRecord watch, CancellationToken ct)
    {
        var taken = watch.Take();
        if (taken.IsEmpty)
            return;
        try
        {
            // Files first: a crash before the rows leaves files that nothing names, and the repeated job finds them there.
            var outputs = new List<RunOutput>();
            foreach (var (step, sample) in taken.Samples)
                outputs.Add(await OutputAsync(job, run, step, sample, ct));
            var kept = taken.Saved.Where(s => checkpoints.Keep(run, s.Step, s.Folder)).ToList();
            await job.SaveAsync(async db =>
            {
                var now = job.Time.GetUtcNow();
                await db.AddMetricsAsync(run, taken.Points, now, ct);
                await db.AddOutputsAsync(run, outputs, ct);
                await db.AddCheckpointsAsync(run, kept.ConvertAll(s => new RunCheckpoint
                {
                    RunId = run, Step = s.Step, Digest = s.Sha256, Loss = s.Loss, HeldOutLoss = s.HeldOutLoss, Best = s.Best, SizeBytes = s.SizeBytes, CreatedAt = now,
                }), ct);
                await db.RunCheckpoints.Where(c => c.RunId == run && taken.Removed.Contains(c.Step) && c.RemovedAt == null).ExecuteUpdateAsync(s => s.SetProperty(c => c.RemovedAt, now), ct);
            }, ct);
            foreach (var step in taken.Removed)
                checkpoints.Remove(run, step);
            await hints.ChangedAsync(Areas.Run, run);
        }
        catch (LeaseLostException)
        {
            // The heartbeat ends the work; the curve belongs to the job's new owner.
        }
    }

    private async Task<RunOutput> OutputAsync(JobContext job, Guid run, int step, TrainingSample sample, CancellationToken ct)
    {
        string? digest = null;
        if (sample.Png is { } picture)
        {
            var folder = Directory.CreateDirectory(Path.Combine(job.WorkFolder, "pictures", Guid.NewGuid().ToString("N"))).FullName;
            await File.WriteAllBytesAsync(Path.Combine(folder, "picture.png"), picture, ct);
            digest = (await artifacts.PutFolderAsync(folder, ct)).Digest;
            Directory.Delete(folder, recursive: true);
        }
        return new RunOutput
        {
            RunId = run, Step = step, Title = sample.Title, MediaType = digest is null ? RunOutput.Text : RunOutput.Png, Content = sample.Text, Digest = digest, At = job.Time.GetUtcNow(),
        };
    }
}
