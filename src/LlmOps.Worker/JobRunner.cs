using System.Diagnostics;
using LlmOps.Engines;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Training;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace LlmOps.Worker;

/// <summary>Runs one claimed job from its lease to its end. Shared by all kinds.</summary>
public sealed class JobRunner(JobTransitions transitions, AdvancePipelines advance, AdvanceSweeps sweeps, IEnumerable<IJobHandler> handlers, IDbContextFactory<LlmOpsDb> dbs,
    Hints hints, LiveChanges changes, WorkerSettings settings, TimeProvider time, ILogger<JobRunner> log)
{
    private enum Stop { None, Shutdown, Cancelled, Paused, LeaseLost }

    public async Task RunAsync(Job job, CancellationToken shutdown)
    {
        var folder = Directory.CreateDirectory(Path.Combine(settings.WorkRoot, job.Id.ToString("N"))).FullName;
        var context = new JobContext(job, folder, dbs, hints, time);
        using var work = new CancellationTokenSource();
        var stop = Stop.None;
        void End(Stop reason) { if (stop == Stop.None) { stop = reason; work.Cancel(); } }
        using var onShutdown = shutdown.Register(() => End(Stop.Shutdown));
        var finished = new CancellationTokenSource();
        var heartbeat = Task.Run(() => HeartbeatAsync(context, End, finished.Token), CancellationToken.None);
        context.Log($"Attempt {job.Attempt} of {job.MaxAttempts} on {settings.Name}.");
        await hints.ChangedAsync(Areas.Job, job.Id);
        var keepFolder = false;
        // Where somebody listens, the stage and the attempt are spans; what the handler does inside is under them.
        using var stage = job.StageRunId is { } stageRun ? EmittedSpans.Source.StartActivity($"stage {job.Kind}")?.SetTag("llmops.stage_run.id", stageRun.ToString()) : null;
        using var attempt = EmittedSpans.Source.StartActivity($"job {job.Kind}")?.SetTag("llmops.job.id", job.Id.ToString()).SetTag("llmops.job.kind", job.Kind).SetTag("llmops.job.attempt", job.Attempt);
        try
        {
            var handler = handlers.SingleOrDefault(h => h.Kind == job.Kind)
                ?? throw LlmOpsException.Invalid($"No worker knows jobs of kind '{job.Kind}'.");
            await handler.RunAsync(context, work.Token);
            if (!context.Completed)
                throw new InvalidOperationException($"The handler of {job.Kind} returned without completing its job.");
        }
        catch (LeaseLostException)
        {
            // Another worker owns the job by now, and maybe the folder's contents: nothing here may be touched any more.
            keepFolder = true;
        }
        catch (Exception e) when (e is OperationCanceledException && work.IsCancellationRequested)
        {
            keepFolder = stop != Stop.Cancelled;
            if (stop == Stop.Shutdown)
                await transitions.RequeueAsync(job, null, "The worker was stopped; queued again.", countAttempt: false, ct: CancellationToken.None);
            else if (stop == Stop.Paused)
                await transitions.RequeueAsync(job, null, "Paused on request; what was finished is kept.", countAttempt: false, ct: CancellationToken.None);
            else if (stop == Stop.Cancelled)
                await transitions.CancelledAsync(job, CancellationToken.None);
        }
        catch (Exception e)
        {
            keepFolder = await FailAsync(context, e);
            foreach (var failed in new[] { attempt, stage })
                failed?.SetStatus(ActivityStatusCode.Error, e.Message).SetTag("error.type", e.GetType().Name);
        }
        finally
        {
            await finished.CancelAsync();
            await heartbeat;
            await CloseAsync(context, keepFolder);
        }
    }

    /// <summary>A mistake of the user fails at once; when the world broke, the row waits and is tried again.</summary>
    private async Task<bool> FailAsync(JobContext context, Exception error)
    {
        var job = context.Job;
        var message = error is IOException io && ArtifactStore.IsDiskFull(io) ? "The disk that holds the data folder is full. Free some space, then retry the stage." : error.Message;
        context.Log(message, "error");
        log.LogError(error, "Job {Kind} {Id} failed in attempt {Attempt}", job.Kind, job.Id, job.Attempt);
        var mistake = error is LlmOpsException or InvalidModelException or UnsupportedModelException or InvalidDatasetException or TrainingFailedException or ArgumentException
            || (error is IOException full && ArtifactStore.IsDiskFull(full));
        if (mistake || job.Attempt >= job.MaxAttempts)
        {
            await transitions.FailAsync(job, message);
            return false;
        }
        await transitions.RequeueAsync(job, TimeSpan.FromSeconds(Math.Pow(2, job.Attempt)), $"Attempt {job.Attempt} failed: {message} It will be tried again.");
        return true;
    }

    private async Task HeartbeatAsync(JobContext context, Action<Stop> end, CancellationToken finished)
    {
        using var asked = new SemaphoreSlim(0);
        void OnCancel(CancelJob message) { if (message.JobId == context.JobId) asked.Release(); }
        changes.CancelJob += OnCancel;
        var pause = TimeSpan.FromMilliseconds(Math.Min(1000, settings.Lease.TotalMilliseconds / 3));
        try
        {
            while (!finished.IsCancellationRequested)
            {
                await asked.WaitAsync(pause, finished);
                try
                {
                    await context.FlushLogAsync(CancellationToken.None);
                    var answer = await transitions.RenewAsync(context.Job, settings.Lease, context.Progress, context.ProgressText, CancellationToken.None);
                    if (answer == LeaseAnswer.Lost && !context.Ending)
                        end(Stop.LeaseLost);
                    else if (answer == LeaseAnswer.RenewedButCancelRequested)
                        end(Stop.Cancelled);
                    else if (answer == LeaseAnswer.RenewedButPauseRequested)
                        end(Stop.Paused);
                    else if (answer == LeaseAnswer.RenewedButStopAndKeepRequested)
                        context.KeepRequested = true;
                    await hints.ChangedAsync(Areas.Job, context.JobId);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // A database that is away for a moment must not end hours of training: the lease lasts longer than one beat.
                    log.LogWarning("Heartbeat of job {Id} failed: {Message}", context.JobId, e.Message);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
        finally
        {
            changes.CancelJob -= OnCancel;
        }
    }

    private async Task CloseAsync(JobContext context, bool keepFolder)
    {
        await context.FlushLogAsync(CancellationToken.None);
        await using (var db = await dbs.CreateDbContextAsync())
        {
            var job = await db.Jobs.AsNoTracking().SingleAsync(j => j.Id == context.JobId);
            if (job.State is JobState.Failed or JobState.Cancelled && job.FencingToken == context.Job.FencingToken)
            {
                var now = time.GetUtcNow();
                var runState = job.State == JobState.Failed ? RunState.Failed : RunState.Cancelled;
                await db.Runs.Where(r => r.JobId == job.Id && r.State == RunState.Running)
                    .ExecuteUpdateAsync(s => s.SetProperty(r => r.State, runState).SetProperty(r => r.EndedAt, now));
                await db.EvaluationRuns.Where(r => r.JobId == job.Id && r.State == JobState.Running)
                    .ExecuteUpdateAsync(s => s.SetProperty(r => r.State, job.State).SetProperty(r => r.EndedAt, now));
            }
            if (!keepFolder && Directory.Exists(context.WorkFolder))
                Directory.Delete(context.WorkFolder, recursive: true);
            if (context.Job.StageRunId is { } stage)
            {
                var run = await db.StageRuns.Where(s => s.Id == stage).Select(s => s.PipelineRunId).SingleAsync();
                await advance.AdvanceAsync(run);
                await sweeps.AfterStageAsync(run);
            }
        }
        await hints.ChangedAsync(Areas.Job, context.JobId);
        await hints.ChangedAsync(Areas.Pipeline, Guid.Empty);
    }
}
