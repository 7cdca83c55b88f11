using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>Makes an experiment for runs that clients log.</summary>
public sealed class CreateExperiment(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    private const int LongestLocation = 2000;

    public async Task<Guid> CreateAsync(string? name, string? artifactLocation, IReadOnlyList<KeyValue> tags, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.RunPipelines);
        var checkedName = Checked(name);
        TrackingLimits.EnsureText(artifactLocation, "Artifact location", LongestLocation);
        foreach (var tag in tags)
            ChangeExperiment.EnsureTag(tag.Key, tag.Value);
        await using var db = await dbs.CreateDbContextAsync(ct);
        await EnsureFreeAsync(db, checkedName, ct);
        var now = time.GetUtcNow();
        var experiment = new Experiment
        {
            Name = checkedName, CreatedAt = now, UpdatedAt = now, ArtifactLocation = string.IsNullOrEmpty(artifactLocation) ? null : artifactLocation,
            Tags = [.. tags.GroupBy(t => t.Key).Select(g => new ExperimentTag { Key = g.Key, Value = g.Last().Value })],
        };
        db.Experiments.Add(experiment);
        db.Record(actor, "create", "experiment", experiment.Id, now, after: new { experiment.Name });
        await SaveAsync(db, checkedName, ct);
        await hints.ChangedAsync(Areas.Run, experiment.Id);
        return experiment.Id;
    }

    /// <summary>The experiment that clients log to when they name none. It is there as soon as somebody asks for it.</summary>
    internal static async Task EnsureDefaultAsync(LlmOpsDb db, DateTimeOffset now, CancellationToken ct)
    {
        if (await db.Experiments.AnyAsync(e => e.Id == TrackingKeys.DefaultExperimentId, ct))
            return;
        db.Experiments.Add(new Experiment { Id = TrackingKeys.DefaultExperimentId, Name = TrackingKeys.DefaultExperiment, CreatedAt = now, UpdatedAt = now });
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateException e) when (e.IsUniqueViolation())
        {
            // Somebody asked in the same moment, or the name is taken by an experiment of a person's own.
        }
        db.ChangeTracker.Clear();
    }

    internal static string Checked(string? name)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw LlmOpsException.Invalid("Invalid experiment name: ''. An experiment needs a name.");
        return TrackingLimits.EnsureText(name, "Experiment name", TrackingLimits.ExperimentName);
    }

    internal static async Task EnsureFreeAsync(LlmOpsDb db, string name, CancellationToken ct)
    {
        if (await db.Experiments.AsNoTracking().Where(e => e.Name == name).Select(e => new { Deleted = e.DeletedAt != null }).SingleOrDefaultAsync(ct) is { } taken)
            throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, taken.Deleted
                ? $"Experiment '{TrackingKeys.Shown(name)}' already exists in deleted state. Restore it, or choose another name." : $"Experiment(name={TrackingKeys.Shown(name)}) already exists.");
    }

    internal static async Task SaveAsync(LlmOpsDb db, string name, CancellationToken ct)
    {
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateException e) when (e.IsUniqueViolation())
        {
            throw new LlmOpsException(ErrorCode.ResourceAlreadyExists, $"Experiment(name={TrackingKeys.Shown(name)}) already exists.", e);
        }
    }
}

/// <summary>Renames, deletes and restores experiments. What is deleted keeps its name and its runs, until it is restored.</summary>
public sealed class ChangeExperiment(IDbContextFactory<LlmOpsDb> dbs, KnownRuns known, Hints hints, TimeProvider time)
{
    public Task RenameAsync(Guid id, string? name, Actor actor, CancellationToken ct = default) => ChangeAsync(id, actor, async (db, experiment, now) =>
    {
        var to = CreateExperiment.Checked(name);
        EnsureActive(experiment);
        if (experiment.Name == to)
            return;
        await CreateExperiment.EnsureFreeAsync(db, to, ct);
        db.Record(actor, "rename", "experiment", id, now, new { experiment.Name }, new { name = to });
        experiment.Name = to;
    }, ct);

    /// <summary>Its active runs go with it.</summary>
    public Task DeleteAsync(Guid id, Actor actor, CancellationToken ct = default) => ChangeAsync(id, actor, async (db, experiment, now) =>
    {
        EnsureActive(experiment);
        experiment.DeletedAt = now;
        foreach (var run in await db.Runs.Where(r => r.ExperimentId == id && r.DeletedAt == null).ToListAsync(ct))
            run.DeletedAt = now;
        db.Record(actor, "delete", "experiment", id, now, new { experiment.Name });
    }, ct);

    /// <summary>The runs that were deleted with it come back with it; those deleted before stay deleted.</summary>
    public Task RestoreAsync(Guid id, Actor actor, CancellationToken ct = default) => ChangeAsync(id, actor, async (db, experiment, now) =>
    {
        if (experiment.DeletedAt is not { } deleted)
            throw LlmOpsException.Invalid($"The experiment {TrackingKeys.Text(id)} must be in the 'deleted' state. Current state is active.");
        foreach (var run in await db.Runs.Where(r => r.ExperimentId == id && r.DeletedAt == deleted).ToListAsync(ct))
            run.DeletedAt = null;
        experiment.DeletedAt = null;
        db.Record(actor, "restore", "experiment", id, now, null, new { experiment.Name });
    }, ct);

    public async Task TagAsync(Guid id, string? key, string? value, CancellationToken ct = default)
    {
        EnsureTag(key, value);
        await using var db = await dbs.CreateDbContextAsync(ct);
        EnsureActive(await GetAsync(db, id, ct));
        if (await db.ExperimentTags.SingleOrDefaultAsync(t => t.ExperimentId == id && t.Key == key, ct) is { } tag)
            tag.Value = value ?? "";
        else
            db.ExperimentTags.Add(new ExperimentTag { ExperimentId = id, Key = key!, Value = value ?? "" });
        await db.SaveChangesAsync(ct);
    }

    public async Task UntagAsync(Guid id, string? key, CancellationToken ct = default)
    {
        TrackingKeys.Required(key, "key");
        await using var db = await dbs.CreateDbContextAsync(ct);
        EnsureActive(await GetAsync(db, id, ct));
        if (await db.ExperimentTags.Where(t => t.ExperimentId == id && t.Key == key).ExecuteDeleteAsync(ct) == 0)
            throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No tag with name: {TrackingKeys.Shown(key!)} in experiment with id {TrackingKeys.Text(id)}");
    }

    internal static void EnsureTag(string? key, string? value)
    {
        TrackingLimits.EnsureKey(key, "tag");
        TrackingLimits.EnsureText(value, $"Tag value of '{key}'", TrackingLimits.ExperimentTagValue);
    }

    internal static void EnsureActive(Experiment experiment)
    {
        if (experiment.DeletedAt is not null)
            throw LlmOpsException.Invalid($"The experiment {TrackingKeys.Text(experiment.Id)} must be in the 'active' state. Current state is deleted.");
    }

    internal static async Task<Experiment> GetAsync(LlmOpsDb db, Guid id, CancellationToken ct) =>
        await db.Experiments.SingleOrDefaultAsync(e => e.Id == id, ct) ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No Experiment with id={TrackingKeys.Text(id)} exists");

    private async Task ChangeAsync(Guid id, Actor actor, Func<LlmOpsDb, Experiment, DateTimeOffset, Task> change, CancellationToken ct)
    {
        actor.Require(Permission.RunPipelines);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var experiment = await GetAsync(db, id, ct);
        var now = time.GetUtcNow();
        await change(db, experiment, now);
        if (!db.ChangeTracker.HasChanges())
            return;
        experiment.UpdatedAt = now;
        await CreateExperiment.SaveAsync(db, experiment.Name, ct);
        known.Forget();
        await hints.ChangedAsync(Areas.Run, id);
    }
}
