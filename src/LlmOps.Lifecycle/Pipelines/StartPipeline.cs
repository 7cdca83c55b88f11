using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Pipelines;

public sealed class StartPipeline(IDbContextFactory<LlmOpsDb> dbs, AdvancePipelines advance, TimeProvider time)
{
    /// <summary>Saves a definition under the name in its YAML; an existing one becomes its next revision.</summary>
    public async Task<PipelineDefinition> DefineAsync(string yaml, string folder, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var document = PipelineDocument.Parse(yaml);
        return await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var now = time.GetUtcNow();
            var definition = await db.PipelineDefinitions.SingleOrDefaultAsync(d => d.Name == document.Name, ct);
            if (definition is not null && definition.Yaml == yaml && definition.Folder == folder)
                return definition;
            var before = definition is null ? null : new { definition.Revision };
            if (definition is null)
                db.Add(definition = new PipelineDefinition { Name = document.Name, Yaml = yaml, Folder = folder, ChangedBy = actor.Name });
            definition.Yaml = yaml;
            definition.Folder = folder;
            definition.Description = document.Description;
            definition.Revision++;
            definition.ChangedAt = now;
            definition.ChangedBy = actor.Name;
            db.Record(actor, "define", "pipeline", definition.Name, now, before, new { definition.Revision });
            await db.SaveChangesAsync(ct);
            return definition;
        });
    }

    public async Task<PipelineRun> StartAsync(string name, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var run = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var definition = await db.PipelineDefinitions.SingleOrDefaultAsync(d => d.Name == name, ct) ?? throw LlmOpsException.NotFound("Pipeline", name);
            var run = await PrepareAsync(db, definition, actor, time.GetUtcNow(), ct);
            await db.SaveChangesAsync(ct);
            return run;
        });
        await advance.AdvanceAsync(run.Id, ct);
        return run;
    }

    /// <summary>Adds a run of the definition to what the caller saves: a schedule claims its due time in the same transaction.</summary>
    internal static Task<PipelineRun> PrepareAsync(LlmOpsDb db, PipelineDefinition definition, Actor actor, DateTimeOffset now, CancellationToken ct) =>
        PrepareAsync(db, definition, definition.Yaml, actor, now, ct);

    /// <param name="yaml">What this run does, when it is not what the definition says: a trial of a sweep has parameters of its own.</param>
    internal static async Task<PipelineRun> PrepareAsync(LlmOpsDb db, PipelineDefinition definition, string yaml, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        var document = PipelineDocument.Parse(yaml);
        var number = await db.PipelineRuns.Where(r => r.DefinitionId == definition.Id).MaxAsync(r => (int?)r.Number, ct) ?? 0;
        var run = new PipelineRun
        {
            DefinitionId = definition.Id, Name = document.Name, Number = number + 1, Yaml = yaml, Folder = definition.Folder,
            State = PipelineState.Running, CreatedById = actor.Id, CreatedBy = actor.Name, CreatedAt = now,
            Stages = [.. document.Stages.Select((s, i) => new StageRun
            {
                Ordinal = i, Name = s.Name, Kind = s.Kind.Name, Needs = string.Join(',', s.Needs), ParametersJson = s.Parameters.ToJsonString(), State = StageState.Pending, Round = 1,
            })],
        };
        db.Add(run);
        db.Record(actor, "start", "pipeline-run", run.Id, now, after: new { run.Name, run.Number });
        return run;
    }
}
