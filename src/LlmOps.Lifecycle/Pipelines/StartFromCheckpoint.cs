using System.Globalization;
using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Pipelines;

/// <summary>
/// Goes on from a checkpoint of an earlier training: a new run of the same document whose training stage begins at that checkpoint. What the stages before it
/// made is taken over; the stage itself and everything behind it runs.
/// </summary>
public sealed class StartFromCheckpoint(IDbContextFactory<LlmOpsDb> dbs, AdvancePipelines advance, TimeProvider time)
{
    private const string Parameter = "resume_from";

    /// <param name="checkpointId">One that is still kept.</param>
    /// <param name="changes">Other parameters of the stage by name, for example more epochs. A run that had ended has nothing left to do without one.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="ct">Stops.</param>
    public async Task<PipelineRun> StartAsync(Guid checkpointId, IReadOnlyDictionary<string, string> changes, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var run = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var prepared = await PrepareAsync(db, checkpointId, changes, actor, ct);
            await db.SaveChangesAsync(ct);
            return prepared;
        });
        await advance.AdvanceAsync(run.Id, ct);
        return run;
    }

    private async Task<PipelineRun> PrepareAsync(LlmOpsDb db, Guid checkpointId, IReadOnlyDictionary<string, string> changes, Actor actor, CancellationToken ct)
    {
        var checkpoint = await db.RunCheckpoints.AsNoTracking().SingleOrDefaultAsync(c => c.Id == checkpointId, ct) ?? throw LlmOpsException.NotFound("Checkpoint", checkpointId);
        if (checkpoint.RemovedAt is not null)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The checkpoint of step {checkpoint.Step} is no longer kept. The page of its run lists those that are.");
        var stageId = await (from r in db.Runs join j in db.Jobs on r.JobId equals j.Id where r.Id == checkpoint.RunId select j.StageRunId).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.Invalid("The run that made this checkpoint belongs to no stage of a pipeline. Write its id as resume_from into a training stage instead.");
        var source = await db.PipelineRuns.AsNoTracking().Include(r => r.Stages).SingleAsync(r => r.Stages.Any(s => s.Id == stageId), ct);
        var stage = source.Stages.Single(s => s.Id == stageId);
        var yaml = Change(source.Yaml, stage.Name, changes.Append(new(Parameter, checkpointId.ToString())));
        var document = PipelineDocument.Parse(yaml);
        var again = StageGraph.WithDownstream(source.Stages, stage.Name);
        var number = await db.PipelineRuns.Where(r => r.DefinitionId == source.DefinitionId).MaxAsync(r => (int?)r.Number, ct) ?? 0;
        var now = time.GetUtcNow();
        var run = new PipelineRun
        {
            DefinitionId = source.DefinitionId, Name = source.Name, Number = number + 1, Yaml = yaml, Folder = source.Folder, State = PipelineState.Running,
            CreatedById = actor.Id, CreatedBy = actor.Name, CreatedAt = now,
            Stages = [.. document.Stages.Select((s, i) => Stage(s, i, again.Contains(s.Name) ? null : source.Stages.Find(x => x.Name == s.Name && x.State == StageState.Succeeded), source, now))],
        };
        db.Add(run);
        db.Record(actor, "continue-from-checkpoint", "pipeline-run", run.Id, now, after: new { run.Name, run.Number, stage = stage.Name, checkpoint = checkpointId, step = checkpoint.Step, from = checkpoint.RunId });
        return run;
    }

    private static StageRun Stage(StageDefinition written, int ordinal, StageRun? done, PipelineRun source, DateTimeOffset now) => new()
    {
        Ordinal = ordinal, Name = written.Name, Kind = written.Kind.Name, Needs = string.Join(',', written.Needs), ParametersJson = written.Parameters.ToJsonString(), Round = 1,
        State = done is null ? StageState.Pending : StageState.Succeeded, OutputsJson = done?.OutputsJson,
        Error = done is null ? null : $"Taken over from {source.Name} #{source.Number}.", StartedAt = done is null ? null : now, EndedAt = done is null ? null : now,
    };

    private static string Change(string yaml, string stage, IEnumerable<KeyValuePair<string, string>> changes)
    {
        foreach (var (name, value) in changes)
            yaml = StageText.Set(yaml, stage, name, double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? value.Trim() : JsonSerializer.Serialize(value));
        return yaml;
    }
}
