using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Training;

namespace LlmOps.Worker.Handlers;

public sealed class TrainRewardHandler(TrainingSources sources, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "train-reward";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<TrainRewardParameters>();
        var from = await sources.ReadAsync<PreferenceExample>(job, p.Version, p.Preferences, ct);
        var options = new RewardModelling { Margin = p.Margin, CentreCoefficient = p.CentreCoefficient }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, from, (target, work, watch, token) => options.Run(from.Checkpoint, from.Rows, from.HeldOut, target, work, watch, token), ct, model: p.Model);
    }
}
