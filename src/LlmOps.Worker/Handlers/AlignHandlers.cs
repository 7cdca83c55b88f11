using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Training;
using LlmOps.Training.Objectives;

namespace LlmOps.Worker.Handlers;

public sealed class AlignHandler(TrainingSources sources, TrainingRecorder recorder, WorkerSettings settings) : IJobHandler
{
    public string Kind => "align";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<AlignParameters>();
        var from = await sources.ReadAsync<PreferenceExample>(job, p.Version, p.Preferences, ct);
        var options = new PreferenceAlignment
        {
            Objective = Objective(p.Objective), Beta = p.Beta, LabelSmoothing = p.LabelSmoothing, SftWeight = p.SftWeight, CpoAlpha = p.CpoAlpha, SimpoGamma = p.SimpoGamma,
            ReferenceCacheFolder = p.ReferenceCache ? settings.ReferenceCache : null,
        }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, from, (target, work, watch, token) => options.Run(from.Checkpoint, from.Rows, from.HeldOut, target, work, watch, token), ct);
    }

    private static PreferenceObjective Objective(string name) => name switch
    {
        "sigmoid" => PreferenceObjective.Sigmoid, "cdpo" => PreferenceObjective.ConservativeSigmoid, "hinge" => PreferenceObjective.Hinge, "ipo" => PreferenceObjective.Identity,
        "robust" => PreferenceObjective.Robust, "apo-zero" => PreferenceObjective.AnchoredZero, "sppo-hard" => PreferenceObjective.SelfPlayHard,
        "sigmoid-norm" => PreferenceObjective.NormalizedSigmoid, "orpo" => PreferenceObjective.OddsRatio, "cpo" => PreferenceObjective.Contrastive, "simpo" => PreferenceObjective.Simple,
        _ => throw LlmOpsException.Invalid($"The objective '{name}' is unknown."),
    };
}

public sealed class AlignUnpairedHandler(TrainingSources sources, TrainingRecorder recorder, WorkerSettings settings) : IJobHandler
{
    public string Kind => "align-unpaired";

    public async Task RunAsync(JobContext job, CancellationToken ct)
    {
        var spec = job.Spec<StageSpec>();
        var p = spec.Parameters<AlignUnpairedParameters>();
        var from = await RowsAsync(job, await sources.FindAsync(job, p.Version, p.Answers, ct, DatasetKind.Unpaired, DatasetKind.Preference), ct);
        var options = new UnpairedAlignment
        {
            Beta = p.Beta, LambdaDesirable = p.LambdaDesirable, LambdaUndesirable = p.LambdaUndesirable, ReferenceCacheFolder = p.ReferenceCache ? settings.ReferenceCache : null,
        }.With(p, recorder.Threads);
        await recorder.TrainAndPublishAsync(job, spec, p, from, (target, work, watch, token) => options.Run(from.Checkpoint, from.Rows, from.HeldOut, target, work, watch, token), ct);
    }

    private async Task<TrainingSource<UnpairedExample>> RowsAsync(JobContext job, TrainingSource from, CancellationToken ct)
    {
        if (from.Dataset.Dataset!.Kind == DatasetKind.Unpaired)
            return await sources.RowsAsync<UnpairedExample>(from, ct);
        var pairs = await sources.RowsAsync<PreferenceExample>(from, ct);
        job.Log($"Each of {pairs.Rows.Count} pairs counts as two rows: rows 1 to {pairs.Rows.Count} are the chosen answers, the {pairs.Rows.Count} after them the rejected ones.");
        return new(from, UnpairedExample.FromPairs([.. pairs.Rows]), UnpairedExample.FromPairs([.. pairs.HeldOut]));
    }
}
