using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Training;
using LlmOps.Training.Objectives;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Worker.Handlers;

public sealed class AlignHandler(DatasetFiles files, ArtifactStore artifacts, TrainingRecorder recorder, WorkerSettings settings) : IJobHandler
{
    public string Kind => "align";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<AlignParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var source = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var dataset = await db.DatasetVersions.GetAsync(p.Preferences, ct);
        var pairs = await files.TrainAsync<PreferenceExample>(dataset, ct);
        var heldOut = await files.HeldOutAsync<PreferenceExample>(dataset, ct);
        var checkpoint = await artifacts.FolderAsync(source.ArtifactDigest, ct);
        var options = new PreferenceAlignment
        {
            Objective = Objective(p.Objective), Beta = p.Beta, LabelSmoothing = p.LabelSmoothing, SftWeight = p.SftWeight, CpoAlpha = p.CpoAlpha, SimpoGamma = p.SimpoGamma,
            ReferenceCacheFolder = p.ReferenceCache ? settings.ReferenceCache : null,
        }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, source.Model!.Name, "align", $"{source.TrainedOn},{dataset.KeyText()}", source.Licence, source.Id,
            (target, work, progress, token) => options.Run(checkpoint, pairs, heldOut, target, work, progress, token), ct);
    }

    private static PreferenceObjective Objective(string name) => name switch
    {
        "sigmoid" => PreferenceObjective.Sigmoid, "cdpo" => PreferenceObjective.ConservativeSigmoid, "hinge" => PreferenceObjective.Hinge, "ipo" => PreferenceObjective.Identity,
        "robust" => PreferenceObjective.Robust, "apo-zero" => PreferenceObjective.AnchoredZero, "sppo-hard" => PreferenceObjective.SelfPlayHard,
        "sigmoid-norm" => PreferenceObjective.NormalizedSigmoid, "orpo" => PreferenceObjective.OddsRatio, "cpo" => PreferenceObjective.Contrastive, "simpo" => PreferenceObjective.Simple,
        _ => throw LlmOpsException.Invalid($"The objective '{name}' is unknown."),
    };
}

public sealed class AlignUnpairedHandler(DatasetFiles files, ArtifactStore artifacts, TrainingRecorder recorder, WorkerSettings settings) : IJobHandler
{
    public string Kind => "align-unpaired";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<AlignUnpairedParameters>();
        await using var db = await job.OpenDbAsync(ct);
        var source = await db.ModelVersions.GetAsync(VersionKey.Parse(p.Version), ct);
        var dataset = await db.DatasetVersions.GetAsync(p.Answers, ct);
        var kind = await db.Datasets.Where(d => d.Id == dataset.DatasetId).Select(d => d.Kind).SingleAsync(ct);
        if (kind is not (DatasetKind.Preference or DatasetKind.Unpaired))
            throw LlmOpsException.Invalid($"{p.Answers} holds {kind.ToString().ToLowerInvariant()} rows. align-unpaired takes marked answers or preference pairs.");
        var marked = kind == DatasetKind.Unpaired;
        var rows = marked ? await files.TrainAsync<UnpairedExample>(dataset, ct) : UnpairedExample.FromPairs(await files.TrainAsync<PreferenceExample>(dataset, ct));
        var heldOut = marked ? await files.HeldOutAsync<UnpairedExample>(dataset, ct) : UnpairedExample.FromPairs(await files.HeldOutAsync<PreferenceExample>(dataset, ct));
        var checkpoint = await artifacts.FolderAsync(source.ArtifactDigest, ct);
        var options = new UnpairedAlignment
        {
            Beta = p.Beta, LambdaDesirable = p.LambdaDesirable, LambdaUndesirable = p.LambdaUndesirable, ReferenceCacheFolder = p.ReferenceCache ? settings.ReferenceCache : null,
        }.With(p, recorder.Threads);
        if (options.BalanceWarning(rows) is { } warning)
            job.Log(warning);
        await recorder.TrainAndPublishAsync(job, spec, p, source.Model!.Name, "align-unpaired", $"{source.TrainedOn},{dataset.KeyText()}", source.Licence, source.Id,
            (target, work, progress, token) => options.Run(checkpoint, rows, heldOut, target, work, progress, token), ct);
    }
}
