using System.Globalization;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

public sealed record NewRun(Guid ExperimentId, string? Name, string User, DateTimeOffset? StartedAt, IReadOnlyList<KeyValue> Tags);

/// <summary>Starts a run that a client logs to.</summary>
public sealed class StartRun(WriteGroups groups, Hints hints, TimeProvider time)
{
    public const string NameTag = "mlflow.runName";

    private static readonly string[] Adjectives = ["able", "brisk", "calm", "clever", "eager", "gentle", "honest", "keen", "lively", "merry", "nimble", "patient", "quiet", "sharp", "sturdy", "wise"];
    private static readonly string[] Nouns = ["badger", "crane", "dolphin", "falcon", "gull", "hare", "ibis", "lynx", "marten", "newt", "otter", "panda", "raven", "seal", "swift", "wren"];

    public async Task<LoggedRun> StartAsync(NewRun wanted, CancellationToken ct = default)
    {
        var now = time.GetUtcNow();
        var tags = wanted.Tags.GroupBy(t => t.Key).ToDictionary(g => g.Key, g => g.Last().Value);
        foreach (var (key, value) in tags)
        {
            TrackingLimits.EnsureKey(key, "tag");
            TrackingLimits.EnsureText(value, $"Tag value of '{key}'", TrackingLimits.TagValue);
        }
        var named = tags.GetValueOrDefault(NameTag);
        if (!string.IsNullOrEmpty(wanted.Name) && !string.IsNullOrEmpty(named) && wanted.Name != named)
            throw LlmOpsException.Invalid($"Both 'run_name' argument and '{NameTag}' tag are specified, but with different values (run_name='{TrackingKeys.Shown(wanted.Name)}', {NameTag}='{TrackingKeys.Shown(named)}').");
        var name = TrackingLimits.EnsureText(FirstOf(wanted.Name, named) ?? Invented(), "Run name", TrackingLimits.TagValue);
        tags[NameTag] = name;
        var started = await groups.WriteAsync(async db =>
        {
            if (wanted.ExperimentId == TrackingKeys.DefaultExperimentId)
                await CreateExperiment.EnsureDefaultAsync(db, now, ct);
            var experiment = await db.Experiments.AsNoTracking().SingleOrDefaultAsync(e => e.Id == wanted.ExperimentId)
                ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No Experiment with id={TrackingKeys.Text(wanted.ExperimentId)} exists");
            ChangeExperiment.EnsureActive(experiment);
            var at = wanted.StartedAt ?? now;
            var run = new Run
            {
                ExperimentId = experiment.Id, Name = name, State = RunState.Running, CreatedBy = TrackingLimits.EnsureText(wanted.User, "User", 256), StartedAt = at,
                Tags = [.. tags.Select(t => new RunTag { ExperimentId = experiment.Id, StartedAt = at, Key = t.Key, Value = t.Value })],
            };
            db.Runs.Add(run);
            await db.SaveChangesAsync();
            return new LoggedRun(run.Id, run.ExperimentId, name, run.CreatedBy, run.State, run.StartedAt, null, false, experiment.ArtifactLocation) { Tags = [.. tags.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => new KeyValue(t.Key, t.Value))] };
        }, ct);
        await hints.ChangedAsync(Areas.Run, started.ExperimentId);
        return started;
    }

    private static string? FirstOf(string? one, string? other) => !string.IsNullOrEmpty(one) ? one : !string.IsNullOrEmpty(other) ? other : null;

    private static string Invented() =>
        string.Create(CultureInfo.InvariantCulture, $"{Adjectives[Random.Shared.Next(Adjectives.Length)]}-{Nouns[Random.Shared.Next(Nouns.Length)]}-{Random.Shared.Next(1000)}");
}

/// <summary>Ends, renames, deletes and restores runs, and takes their tags off.</summary>
public sealed class ChangeRun(IDbContextFactory<LlmOpsDb> dbs, WriteGroups groups, KnownRuns known, Hints hints, TimeProvider time)
{
    /// <summary>What is null stays as it is.</summary>
    public async Task<LoggedRun> UpdateAsync(Guid id, RunState? state, DateTimeOffset? endedAt, string? name, CancellationToken ct = default)
    {
        TrackingLimits.EnsureText(name, "Run name", TrackingLimits.TagValue);
        var updated = await groups.WriteAsync(async db =>
        {
            var run = await ActiveAsync(db, id, ct);
            if (state is { } next && next != run.State)
            {
                if (run.JobId is not null)
                    throw new LlmOpsException(ErrorCode.ResourceConflict, $"The run {TrackingKeys.Text(id)} is a training of this server, whose job says how it goes. Cancel or stop the training instead.");
                run.State = next;
            }
            if (endedAt is not null)
                run.EndedAt = endedAt;
            if (!string.IsNullOrEmpty(name) && name != run.Name)
            {
                run.Name = name;
                if (await db.RunTags.SingleOrDefaultAsync(t => t.RunId == id && t.Key == StartRun.NameTag) is { } tag)
                    tag.Value = name;
                else
                    db.RunTags.Add(new RunTag { RunId = id, ExperimentId = run.ExperimentId, StartedAt = run.StartedAt, Key = StartRun.NameTag, Value = name });
            }
            await db.SaveChangesAsync();
            return new LoggedRun(run.Id, run.ExperimentId, run.Name, run.CreatedBy, run.State, run.StartedAt, run.EndedAt, false, await db.Experiments.Where(e => e.Id == run.ExperimentId).Select(e => e.ArtifactLocation).SingleAsync());
        }, ct);
        await hints.ChangedAsync(Areas.Run, id);
        return updated;
    }

    public async Task UntagAsync(Guid id, string? key, CancellationToken ct = default)
    {
        TrackingKeys.Required(key, "key");
        await groups.WriteAsync(async db =>
        {
            await ActiveAsync(db, id, ct);
            if (await db.RunTags.Where(t => t.RunId == id && t.Key == key).ExecuteDeleteAsync() == 0)
                throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No tag with name: {TrackingKeys.Shown(key!)} in run with id {TrackingKeys.Text(id)}");
            return true;
        }, ct);
    }

    public Task DeleteAsync(Guid id, Actor actor, CancellationToken ct = default) => SetDeletedAsync(id, true, actor, ct);

    public Task RestoreAsync(Guid id, Actor actor, CancellationToken ct = default) => SetDeletedAsync(id, false, actor, ct);

    private async Task SetDeletedAsync(Guid id, bool deleted, Actor actor, CancellationToken ct)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var run = await db.Runs.SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw NotFound(id);
        if (run.DeletedAt is not null == deleted)
            return;
        if (deleted && run is { State: RunState.Running, JobId: not null })
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The training of the run {TrackingKeys.Text(id)} is under way. Cancel it first.");
        var now = time.GetUtcNow();
        run.DeletedAt = deleted ? now : null;
        db.Record(actor, deleted ? "delete" : "restore", "run", id, now, deleted ? new { run.Name } : null, deleted ? null : new { run.Name });
        await db.SaveChangesAsync(ct);
        known.Forget();
        await hints.ChangedAsync(Areas.Run, id);
    }

    internal static async Task<Run> ActiveAsync(LlmOpsDb db, Guid id, CancellationToken ct)
    {
        var run = await db.Runs.SingleOrDefaultAsync(r => r.Id == id, ct) ?? throw NotFound(id);
        return run.DeletedAt is null ? run : throw Deleted(id);
    }

    internal static LlmOpsException NotFound(Guid id) => new(ErrorCode.ResourceDoesNotExist, $"Run with id={TrackingKeys.Text(id)} not found");

    internal static LlmOpsException Deleted(Guid id) => LlmOpsException.Invalid($"The run {TrackingKeys.Text(id)} must be in the 'active' state. Current state is deleted.");
}
