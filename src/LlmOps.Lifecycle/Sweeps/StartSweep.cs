using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Sweeps.Search;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Sweeps;

/// <summary>What a sweep's row keeps besides its columns.</summary>
public sealed record SweepSettings(string Take, string? MeasuredBy, string? Variant, HalvingOptions Halving, ParzenOptions Tpe);

public sealed class StartSweep(IDbContextFactory<LlmOpsDb> dbs, AdvanceSweeps advance, Hints hints, TimeProvider time)
{
    /// <summary>Checks the document against its pipeline without starting anything.</summary>
    public async Task<SweepDocument> CheckAsync(string yaml, CancellationToken ct = default)
    {
        var name = SweepDocument.PipelineOf(yaml);
        await using var db = await dbs.CreateDbContextAsync(ct);
        return SweepDocument.Parse(yaml, PipelineDocument.Parse(SweepDocument.WithFixed(yaml, (await PipelineAsync(db, name, ct)).Yaml)));
    }

    public async Task<Sweep> StartAsync(string yaml, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var pipeline = SweepDocument.PipelineOf(yaml);
        var sweep = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var now = time.GetUtcNow();
            var source = await PipelineAsync(db, pipeline, ct);
            var pipelineYaml = SweepDocument.WithFixed(yaml, source.Yaml);
            var document = SweepDocument.Parse(yaml, PipelineDocument.Parse(pipelineYaml));
            if (await db.Sweeps.AnyAsync(s => s.Name == document.Name, ct))
                throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, $"A sweep is called '{document.Name}' already. Choose another name: its trials would mix with those that are there.");
            var added = Row(document, pipelineYaml, actor, now);
            await AddTrialsPipelineAsync(db, document, pipelineYaml, source.Folder, actor, now, ct);
            db.Sweeps.Add(added);
            db.Record(actor, "start", "sweep", added.Name, now, after: new { document.Pipeline, document.Stage, added.Method, added.Metric, added.MaxTrials });
            await db.SaveChangesAsync(ct);
            return added;
        });
        await advance.AdvanceAsync(sweep.Id, ct);
        await hints.ChangedAsync(Areas.Sweep, sweep.Id);
        return sweep;
    }

    private static async Task<PipelineDefinition> PipelineAsync(LlmOpsDb db, string name, CancellationToken ct) =>
        await db.PipelineDefinitions.AsNoTracking().SingleOrDefaultAsync(d => d.Name == name, ct) ?? throw LlmOpsException.NotFound("Pipeline", name);

    private static Sweep Row(SweepDocument document, string pipelineYaml, Actor actor, DateTimeOffset now) => new()
    {
        Name = document.Name, Description = document.Description, PipelineYaml = pipelineYaml, Pipeline = document.Pipeline, Stage = document.Stage,
        SpaceJson = Json.Write(document.Plan.Space), Method = document.Plan.Method, Metric = document.Metric.Name, Minimise = document.Plan.Minimise,
        SettingsJson = Json.Write(new SweepSettings(document.Metric.Take, document.Metric.MeasuredBy, document.Metric.Variant, document.Plan.Halving, document.Plan.Tpe)),
        MaxTrials = document.Plan.MaxTrials, Parallel = document.Plan.Parallel, Seed = document.Plan.Seed, State = SweepState.Running,
        CreatedById = actor.Id, CreatedBy = actor.Name, CreatedAt = now,
    };

    /// <summary>Trials run under a pipeline of the sweep's own: their numbers do not mix with the pipeline's own runs, and they are an experiment by themselves.</summary>
    private static async Task AddTrialsPipelineAsync(LlmOpsDb db, SweepDocument document, string pipelineYaml, string folder, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        var name = TrialDocument.PipelineName(document.Name);
        if (await db.PipelineDefinitions.AnyAsync(d => d.Name == name, ct))
            throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, $"A pipeline is called '{name}' already, and the trials of this sweep would run under that name. Choose another name for the sweep.");
        var description = $"What each trial of the sweep {document.Name} runs: {document.Pipeline} up to {document.Metric.MeasuredBy ?? document.Stage}.";
        db.PipelineDefinitions.Add(new PipelineDefinition
        {
            Name = name, Folder = folder, Description = description, Revision = 1, ChangedAt = now, ChangedBy = actor.Name,
            Yaml = TrialDocument.ToYaml(PipelineDocument.Parse(pipelineYaml), name, description, document.Stage, document.Metric, []),
        });
    }
}

/// <summary>A sweep's row, read.</summary>
public static class SweepRows
{
    public static SweepSettings Settings(this Sweep sweep) => Json.Read<SweepSettings>(sweep.SettingsJson);

    public static SweepMetric MetricOf(this Sweep sweep) => sweep.Settings() is var s ? new(sweep.Metric, s.Take, s.MeasuredBy, s.Variant) : null!;

    public static SweepPlan Plan(this Sweep sweep)
    {
        var settings = sweep.Settings();
        return new(Json.Read<SearchSpace>(sweep.SpaceJson), sweep.Method, sweep.Minimise, sweep.MaxTrials, sweep.Parallel, sweep.Seed, settings.Halving, settings.Tpe);
    }
}
