using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Sweeps;

/// <summary>A trial of a higher rung goes on where its trial of the rung below ended: the steps done there are part of its budget.</summary>
internal static class PromotedTrial
{
    public const string Parameter = "resume_from";
    /// <summary>How the note begins of a promoted trial that went on from nothing.</summary>
    public const string Anew = "Started anew";

    /// <summary>Where a trial begins.</summary>
    /// <param name="Checkpoint">What it goes on from; null for the beginning.</param>
    /// <param name="WhyAnew">Said on a promoted trial that begins anew.</param>
    internal sealed record Start(Guid? Checkpoint, string? WhyAnew);

    public static async Task<Start> FindAsync(LlmOpsDb db, Sweep sweep, PipelineDocument pipeline, Guid? promotedFrom, CancellationToken ct)
    {
        if (promotedFrom is not { } id)
            return new(null, null);
        var lower = sweep.Trials.Single(t => t.Id == id);
        var stage = pipeline.Stages.Single(s => s.Name == sweep.Stage);
        if (StageFields.Of(stage.Kind).All(f => f.Name != Parameter))
            return new(null, $"{Anew}: {stage.Kind.Name} cannot go on from a checkpoint.");
        var last = await db.RunCheckpoints.AsNoTracking().Where(c => c.RunId == lower.RunId && c.RemovedAt == null).OrderByDescending(c => c.Step).Select(c => (Guid?)c.Id).FirstOrDefaultAsync(ct);
        return last is null ? new(null, $"{Anew}: trial {lower.Number} has left no checkpoint.") : new(last, null);
    }

    /// <summary>The trial whose training this one goes on with; null when it began by itself.</summary>
    public static SweepTrial? Continued(Sweep sweep, SweepTrial trial) =>
        trial.PromotedFromId is { } id && trial.Error?.StartsWith(Anew, StringComparison.Ordinal) != true ? sweep.Trials.Single(t => t.Id == id) : null;

    public static JsonObject With(JsonObject parameters, Start start)
    {
        if (start.Checkpoint is not { } checkpoint)
            return parameters;
        var more = (JsonObject)parameters.DeepClone();
        more[Parameter] = checkpoint.ToString();
        return more;
    }

    /// <summary>The step each trial went on from, by its pipeline run. It is read from what the run's stage was given, which is what decided.</summary>
    public static async Task<IReadOnlyDictionary<Guid, int>> StepsAsync(LlmOpsDb db, Sweep sweep, CancellationToken ct)
    {
        // Of a trial that had to begin anew after all, Error says so.
        var promoted = sweep.Trials.Where(t => Continued(sweep, t) is not null && t.PipelineRunId is not null).Select(t => t.PipelineRunId!.Value).ToList();
        if (promoted.Count == 0)
            return new Dictionary<Guid, int>();
        var given = await db.StageRuns.AsNoTracking().Where(s => promoted.Contains(s.PipelineRunId) && s.Name == sweep.Stage).Select(s => new { s.PipelineRunId, s.ParametersJson }).ToListAsync(ct);
        var checkpoints = given.Select(g => (g.PipelineRunId, Checkpoint: CheckpointOf(g.ParametersJson))).Where(g => g.Checkpoint is not null).ToList();
        var ids = checkpoints.ConvertAll(g => g.Checkpoint!.Value);
        var steps = await db.RunCheckpoints.AsNoTracking().Where(c => ids.Contains(c.Id)).ToDictionaryAsync(c => c.Id, c => c.Step, ct);
        return checkpoints.Where(g => steps.ContainsKey(g.Checkpoint!.Value)).ToDictionary(g => g.PipelineRunId, g => steps[g.Checkpoint!.Value]);
    }

    private static Guid? CheckpointOf(string parameters) =>
        JsonNode.Parse(parameters) is JsonObject given && given[Parameter] is JsonValue value && value.GetValueKind() == JsonValueKind.String && Guid.TryParse(value.ToString(), out var id) ? id : null;
}
