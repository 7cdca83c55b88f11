using System.Text.Json.Nodes;
using LlmOps.Engines;
using LlmOps.Engines.Planning;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Planning;

/// <summary>A speed that was measured here.</summary>
public sealed record MeasuredSpeed(double TokensPerSecond, Guid RunId, string Run, string? Worker, DateTimeOffset At);

/// <summary>What a training stage will take, said before it starts.</summary>
/// <param name="Estimate">Null when the model is not known yet; the notes say what is missing.</param>
/// <param name="LengthKnown">False when the data is not known yet: of the estimate only weights and memory count, for sequences as long as the model allows.</param>
/// <param name="Data">Dataset version that it would train on.</param>
/// <param name="Counts">Its lengths in the model's tokens.</param>
/// <param name="Speed">Null when nothing like it was ever trained here.</param>
/// <param name="WorkerMemoryBytes">Memory of the largest worker that is alive; null when there is none.</param>
public sealed record TrainingPlan(string Stage, string Kind, TrainingEstimate? Estimate, bool LengthKnown, string? Data, int? Rows, TokenCounts? Counts, MeasuredSpeed? Speed, long? WorkerMemoryBytes, IReadOnlyList<string> Notes)
{
    public double? Seconds => Estimate is not null && LengthKnown && Speed is not null ? Estimate.Seconds(Speed.TokensPerSecond) : null;

    /// <summary>False when no worker that is alive has the memory.</summary>
    public bool? Fits => Estimate is null || WorkerMemoryBytes is not { } memory ? null : Estimate.MemoryBytes <= memory;
}

/// <summary>Estimates a training stage of a pipeline's text. What stages before it will make is taken from the newest run of the same pipeline, or from their parameters.</summary>
public sealed class PlanTraining(IDbContextFactory<LlmOpsDb> dbs, ReadVersion versions, PlanFit shapes, CountTokens count, TimeProvider time)
{
    private static readonly TimeSpan Alive = TimeSpan.FromMinutes(1);
    /// <summary>A measured run counts as one of this size when its model has about as many weights.</summary>
    private const double AboutAsLarge = 0.1;

    public static bool CanPlan(StageKind kind) => typeof(TrainingParameters).IsAssignableFrom(kind.Parameters) && (kind.Name == "pretrain" || StageFields.Of(kind).Any(f => f.Name == "version"));

    public async Task<TrainingPlan> PlanAsync(string yaml, string stageName, CancellationToken ct = default)
    {
        var document = PipelineDocument.Parse(yaml);
        var stage = document.Stages.FirstOrDefault(s => s.Name == stageName) ?? throw LlmOpsException.NotFound("Stage", stageName);
        if (!CanPlan(stage.Kind))
            throw LlmOpsException.Invalid($"{stageName} is a stage of the kind {stage.Kind.Name}; estimates are made for trainings of language models.");
        await using var db = await dbs.CreateDbContextAsync(ct);
        var looked = new LookAhead(db, document, versions, shapes);
        var notes = new List<string>();
        var shape = await looked.ShapeAsync(stage, notes, ct);
        var data = await looked.DataAsync(stage, notes, ct);
        TokenCounts? counts = null;
        if (data is not null && await looked.TokenizerAsync(stage, notes, ct) is { } tokenizer)
            counts = await CountAsync(data, tokenizer, notes, ct);
        var estimate = shape is null ? null : Estimate(stage, shape, data, counts);
        return new(stage.Name, stage.Kind.Name, estimate, counts is not null, data?.KeyText(), data?.TrainRows, counts, estimate is null ? null : await SpeedAsync(db, stage.Kind.Name, estimate, ct), await MemoryAsync(db, ct), notes);
    }

    /// <summary>Every stage that can be estimated, in the document's order.</summary>
    public async Task<IReadOnlyList<TrainingPlan>> PlanAllAsync(string yaml, CancellationToken ct = default)
    {
        var plans = new List<TrainingPlan>();
        foreach (var stage in PipelineDocument.Parse(yaml).Stages.Where(s => CanPlan(s.Kind)))
            plans.Add(await PlanAsync(yaml, stage.Name, ct));
        return plans;
    }

    private async Task<TokenCounts?> CountAsync(DatasetVersion data, string tokenizer, List<string> notes, CancellationToken ct)
    {
        try
        {
            return await count.OfAsync(data, tokenizer, ct);
        }
        catch (Exception e) when (e is InvalidModelException or ArgumentException or LlmOpsException)
        {
            notes.Add($"The tokens of {data.KeyText()} cannot be counted: {e.Message}");
            return null;
        }
    }

    private static TrainingEstimate Estimate(StageDefinition stage, ModelShape shape, DatasetVersion? data, TokenCounts? counts)
    {
        var p = (TrainingParameters)StageFields.Bind(stage.Kind, WithoutReferences(stage).ToJsonString());
        var values = StageFields.Of(stage.Kind).ToDictionary(f => f.Name, f => stage.Parameters[f.Name]?.ToString() ?? f.Default?.ToString() ?? "");
        var limit = p is PretrainParameters pretrain ? pretrain.ContextLength : shape.MaxContext;
        var adapter = values.GetValueOrDefault("method") == "lora" && int.TryParse(values.GetValueOrDefault("lora_rank"), out var rank) ? rank : 0;
        try
        {
            return TrainingEstimate.Of(shape, new TrainingWork
            {
                Examples = counts is null ? p.BatchSize : data!.TrainRows, TokensPerExample = counts?.Mean ?? limit, LongestSequence = Math.Max(2, Math.Min(counts?.Longest ?? limit, limit)),
                ScoredShare = counts?.ScoredShare ?? 1, SequencesPerExample = counts?.Sequences ?? 1,
                RowLength = p is PretrainParameters ? limit : 0, BatchSize = p.BatchSize, MicroBatch = p.MicroBatch, Epochs = p.Epochs, MaxSteps = p.MaxSteps, AdapterRank = adapter,
                Optimizer = p.Optimizer, Momentum = p.Momentum > 0, Average = p.EmaDecay > 0, HalfProducts = p.Precision == "bfloat16", Recompute = p.RecomputeActivations,
                Dora = p is FineTuneParameters { Dora: true }, Smoothed = p is FineTuneParameters { LabelSmoothing: > 0 }, PackedLength = p is FineTuneParameters { Packing: "bfd" } ? limit : 0,
            });
        }
        catch (ArgumentException e)
        {
            throw LlmOpsException.Invalid(e.Message);
        }
    }

    /// <summary>References are no numbers: only the numbers are read from the record.</summary>
    private static JsonObject WithoutReferences(StageDefinition stage) => new(stage.Parameters.Where(p => p.Value?.ToString().Contains("${", StringComparison.Ordinal) != true).Select(p => new KeyValuePair<string, JsonNode?>(p.Key, p.Value?.DeepClone())));

    /// <summary>Tokens over seconds of the newest finished training of this kind whose model had about as many weights, as its report says.</summary>
    private static async Task<MeasuredSpeed?> SpeedAsync(LlmOpsDb db, string kind, TrainingEstimate estimate, CancellationToken ct)
    {
        var (least, most) = ((long)(estimate.Parameters * (1 - AboutAsLarge)), (long)(estimate.Parameters * (1 + AboutAsLarge)));
        var run = await (from r in db.Runs.AsNoTracking()
                         join j in db.Jobs.AsNoTracking() on r.JobId equals j.Id
                         join v in db.ModelVersions.AsNoTracking() on r.Id equals v.RunId
                         where r.State == RunState.Succeeded && j.Kind == kind && v.Parameters >= least && v.Parameters <= most
                         orderby r.StartedAt descending
                         select new { r.Id, r.Name, r.StartedAt, j.WorkerName, v.ReportJson }).FirstOrDefaultAsync(ct);
        return run is not null && JsonNode.Parse(run.ReportJson)?["tokens_per_second"]?.GetValue<double>() is { } speed and > 0 ? new(speed, run.Id, run.Name, run.WorkerName, run.StartedAt) : null;
    }

    private async Task<long?> MemoryAsync(LlmOpsDb db, CancellationToken ct)
    {
        var since = time.GetUtcNow() - Alive;
        return await db.Workers.AsNoTracking().Where(w => w.StoppedAt == null && w.HeartbeatAt >= since && w.MemoryBytes > 0).MaxAsync(w => (long?)w.MemoryBytes, ct);
    }
}
