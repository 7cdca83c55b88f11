using LlmOps.Engines.SmallModels;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Training.SmallModels;

namespace LlmOps.Worker.Handlers;

public sealed class TrainAutoencoderHandler(DatasetFiles files, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "train-autoencoder";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<TrainAutoencoderParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var dataset = await db.DatasetVersions.GetAsync(p.Samples, ct);
        var (samples, heldOut) = (await files.TrainSamplesAsync(dataset, ct), await files.HeldOutSamplesAsync(dataset, ct));
        var options = new Autoencoder
        {
            Variational = p.Variational, Latent = p.Latent, Convolutional = p.Network == "convolutional", Width = p.Width, Beta = p.Beta, BetaWarmupFraction = p.BetaWarmup,
            Reconstruction = p.Reconstruction == "bernoulli" ? ReconstructionLoss.Bernoulli : ReconstructionLoss.SquaredError,
        }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, p.Model, p.Variational ? "vae" : "autoencoder", dataset.KeyText(), dataset.Licence, null,
            (target, work, watch, token) => options.Run(samples, heldOut, target, work, watch, token), ct);
    }
}

public sealed class TrainDiffusionHandler(DatasetFiles files, TrainingRecorder recorder) : IJobHandler
{
    public string Kind => "train-diffusion";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<TrainDiffusionParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var dataset = await db.DatasetVersions.GetAsync(p.Samples, ct);
        var (samples, heldOut) = (await files.TrainSamplesAsync(dataset, ct), await files.HeldOutSamplesAsync(dataset, ct));
        var options = new DenoisingDiffusion { UNet = p.Network == "u-net", Width = p.Width, Timesteps = p.Timesteps, Noise = p.Noise, PreviewSteps = p.PreviewSteps }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, p.Model, "diffusion", dataset.KeyText(), dataset.Licence, null,
            (target, work, watch, token) => options.Run(samples, heldOut, target, work, watch, token), ct);
    }
}
