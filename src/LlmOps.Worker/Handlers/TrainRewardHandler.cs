using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Training;

namespace LlmOps.Worker.Handlers;

public sealed class TrainRewardHandler(DatasetFiles files, ArtifactStore artifacts, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "train-reward";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<TrainRewardParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var source = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var dataset = await db.DatasetVersions.GetAsync(p.Preferences, ct);
        var pairs = await files.TrainAsync<PreferenceExample>(dataset, ct);
        var heldOut = await files.HeldOutAsync<PreferenceExample>(dataset, ct);
        var checkpoint = await artifacts.FolderAsync(source.ArtifactDigest, ct);
        var options = new RewardModelling { Margin = p.Margin, CentreCoefficient = p.CentreCoefficient }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, p.Model, "train-reward", $"{source.TrainedOn},{dataset.KeyText()}", source.Licence, source.Id,
            (target, work, progress, token) => options.Run(checkpoint, pairs, heldOut, target, work, progress, token), ct);
    }
}
