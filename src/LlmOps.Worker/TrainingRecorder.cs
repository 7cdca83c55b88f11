using LlmOps.Engines.Text;
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

/// <summary>What a training stage made, before it is a version.</summary>
public sealed record TrainedCheckpoint(string Folder, TrainingReport Report);

/// <summary>Runs a training with its curve written while it runs, and publishes the checkpoint as a version at the end.</summary>
public sealed class TrainingRecorder(ArtifactStore artifacts, Hints hints, WorkerSettings settings)
{
    public int Threads => settings.Threads;

    public async Task TrainAndPublishAsync(JobContext job, StageSpec spec, StageParameters parameters, string model, string stage, string trainedOn, string licence, Guid? parent,
        Func<string, string, IProgress<TrainingStep>, CancellationToken, TrainingReport> train, CancellationToken ct)
    {
        var run = await StartRunAsync(job, spec, parameters, ct);
        var target = Path.Combine(job.WorkFolder, "checkpoint");
        var points = new PointBuffer(job);
        var training = Task.Factory.StartNew(() => train(target, Directory.CreateDirectory(Path.Combine(job.WorkFolder, "training")).FullName, points, ct),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        while (!training.IsCompleted)
        {
            await Task.WhenAny(training, Task.Delay(1000, CancellationToken.None));
            await FlushAsync(job, run, points, CancellationToken.None);
        }
        var report = await training;
        job.Log($"{report.Steps} steps, {report.Tokens:N0} tokens in {report.Seconds:0.0} s ({report.TokensPerSecond:N0} tokens/s); final loss {report.FinalLoss:0.0000}; weights {report.WeightsSha256[..12]}."
            + (report.ResumedFromStep > 0 ? $" Resumed from step {report.ResumedFromStep}." : ""));
        var stored = await artifacts.PutFolderAsync(target, ct);
        var config = Engines.Checkpoints.ModelConfig.Read(target);
        await job.CompleteAsync(async db =>
        {
            await db.AddMetricsAsync(run, points.Take(), job.Time.GetUtcNow(), ct);
            await db.Runs.Where(r => r.Id == run).ExecuteUpdateAsync(s => s.SetProperty(r => r.State, RunState.Succeeded).SetProperty(r => r.EndedAt, job.Time.GetUtcNow()), ct);
            var version = await db.AddVersionAsync(new NewVersion(model, stage, stored, config.ParameterCount, $"{spec.PipelineName}: {spec.StageName}", trainedOn, licence,
                Json.Write(report), parent, run, job.JobId), job.Actor, job.Time.GetUtcNow(), ct);
            return new Dictionary<string, string> { ["version"] = version.Key().ToString() };
        }, ct);
        await hints.ChangedAsync(Areas.Model, Guid.Empty);
    }

    private static async Task<Guid> StartRunAsync(JobContext job, StageSpec spec, StageParameters parameters, CancellationToken ct)
    {
        var given = System.Text.Json.JsonSerializer.SerializeToElement(parameters, parameters.GetType(), Json.Options);
        var named = given.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.ToString());
        Guid id = default;
        await job.SaveAsync(async db => id = (await db.EnsureRunAsync(spec.PipelineName, spec.StageName, job.JobId, job.Actor.Name, named, job.Time.GetUtcNow(), ct)).Id, ct);
        return id;
    }

    private async Task FlushAsync(JobContext job, Guid run, PointBuffer points, CancellationToken ct)
    {
        var taken = points.Take();
        if (taken.Count == 0)
            return;
        try
        {
            await job.SaveAsync(db => db.AddMetricsAsync(run, taken, job.Time.GetUtcNow(), ct), ct);
            await hints.ChangedAsync(Areas.Run, run);
        }
        catch (LeaseLostException)
        {
            // The heartbeat ends the work; the curve belongs to the job's new owner.
        }
    }

    /// <summary>Takes steps from the training thread; the training never waits for the database.</summary>
    private sealed class PointBuffer(JobContext job) : IProgress<TrainingStep>
    {
        private readonly Lock gate = new();
        private List<MetricPoint> points = [];
        private int lastLogged = -1;

        public void Report(TrainingStep step)
        {
            lock (gate)
            {
                Add(step, "loss", step.Loss);
                Add(step, "learning_rate", step.LearningRate);
                Add(step, "gradient_norm", step.GradientNorm);
                Add(step, "tokens_per_second", step.TokensPerSecond);
                foreach (var (key, value) in step.Metrics)
                    Add(step, key, value);
            }
            job.Report((double)step.Step / Math.Max(1, step.TotalSteps), $"step {step.Step} of {step.TotalSteps}, loss {step.Loss:0.000}, {step.TokensPerSecond:N0} tokens/s");
            var tenth = step.Step * 10 / Math.Max(1, step.TotalSteps);
            if (tenth == lastLogged)
                return;
            lastLogged = tenth;
            job.Log($"step {step.Step} of {step.TotalSteps}: loss {step.Loss:0.0000}, learning rate {step.LearningRate:0.0e0}, gradient norm {step.GradientNorm:0.00}, {step.TokensPerSecond:N0} tokens/s");
        }

        public IReadOnlyCollection<MetricPoint> Take()
        {
            lock (gate)
            {
                var taken = points;
                points = [];
                return taken;
            }
        }

        private void Add(TrainingStep step, string key, double value)
        {
            if (double.IsFinite(value))
                points.Add(new MetricPoint(key, step.Step, value));
        }
    }
}
