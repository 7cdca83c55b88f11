using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <summary>Makes a registered model without versions.</summary>
public sealed class RegisterModel(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task CreateAsync(string? name, string? description, IReadOnlyList<KeyValue> tags, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        var parsed = RegisteredName.Parse(name);
        TrackingLimits.EnsureText(description, "Description", DescribeModel.LongestDescription);
        foreach (var tag in tags)
            RegisteredName.EnsureTag(tag.Key, tag.Value);
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (await db.Models.AnyAsync(m => m.Name == parsed, ct))
            throw Taken(parsed);
        var now = time.GetUtcNow();
        var model = new RegisteredModel
        {
            Name = parsed, Owner = actor.Name, CreatedAt = now, UpdatedAt = now, Description = description ?? "",
            Tags = [.. tags.GroupBy(t => t.Key).Select(g => new ModelTag { Key = g.Key, Value = g.Last().Value })],
        };
        db.Models.Add(model);
        db.Record(actor, "create", "model", parsed, now);
        await db.AnnounceModelAsync(model, now, ct);
        try
        {
            await db.SaveChangesAsync(ct);
        }
        catch (DbUpdateException e) when (e.IsUniqueViolation())
        {
            throw Taken(parsed);
        }
        await hints.ChangedAsync(Areas.Model, model.Id);
    }

    internal static LlmOpsException Taken(string name) => new(ErrorCode.ResourceAlreadyExists, $"Registered Model (name={TrackingKeys.Shown(name)}) already exists.");
}

/// <summary>Renames, describes, tags and deletes what was registered.</summary>
public sealed class ChangeModel(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    /// <summary>Refused where statements, pipelines and cards name the model: they would name nothing.</summary>
    public Task RenameAsync(string? name, string? newName, Actor actor, CancellationToken ct = default) => ChangeAsync(name, actor, async (db, model, now) =>
    {
        var to = RegisteredName.Parse(newName);
        if (to == model.Name)
            return;
        if (await db.Models.AnyAsync(m => m.Name == to, ct))
            throw RegisterModel.Taken(to);
        if (await db.ModelVersions.AnyAsync(v => v.ModelId == model.Id && v.Stage != ModelVersion.Registered, ct) || await db.Approvals.AnyAsync(a => a.ModelId == model.Id, ct))
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"'{model.Name}' cannot be renamed: pipelines, cards or signed requests name it. Register a model of the new name instead.");
        db.Record(actor, "rename", "model", model.Name, now, new { model.Name }, new { name = to });
        model.Name = to;
    }, ct);

    public Task DescribeAsync(string? name, string? description, Actor actor, CancellationToken ct = default) => ChangeAsync(name, actor, (db, model, now) =>
    {
        TrackingLimits.EnsureText(description, "Description", DescribeModel.LongestDescription);
        db.Record(actor, "describe", "model", model.Name, now, new { model.Description }, new { description });
        model.Description = description ?? "";
        return Task.CompletedTask;
    }, ct);

    public Task TagAsync(string? name, string? key, string? value, Actor actor, CancellationToken ct = default) => ChangeAsync(name, actor, async (db, model, now) =>
    {
        RegisteredName.EnsureTag(key, value);
        var tag = await db.ModelTags.SingleOrDefaultAsync(t => t.ModelId == model.Id && t.Key == key, ct);
        db.Record(actor, "tag", "model", model.Name, now, tag is null ? null : new { key, tag.Value }, new { key, value });
        if (tag is null)
            db.ModelTags.Add(new ModelTag { ModelId = model.Id, Key = key!, Value = value ?? "" });
        else
            tag.Value = value ?? "";
    }, ct);

    public Task UntagAsync(string? name, string? key, Actor actor, CancellationToken ct = default) => ChangeAsync(name, actor, async (db, model, now) =>
    {
        if (await db.ModelTags.SingleOrDefaultAsync(t => t.ModelId == model.Id && t.Key == TrackingKeys.Required(key, "key"), ct) is not { } tag)
            return;
        db.Record(actor, "untag", "model", model.Name, now, new { key, tag.Value });
        db.ModelTags.Remove(tag);
    }, ct);

    public async Task DeleteAsync(string? name, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var model = await GetAsync(db, name, ct);
        foreach (var version in await db.ModelVersions.Where(v => v.ModelId == model.Id).ToListAsync(ct))
            await ChangeVersion.RemoveAsync(db, model, version, ct);
        db.Aliases.RemoveRange(await db.Aliases.Where(a => a.ModelId == model.Id).ToListAsync(ct));
        db.Models.Remove(model);
        db.Record(actor, "delete", "model", model.Name, time.GetUtcNow());
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Model, model.Id);
    }

    internal static async Task<RegisteredModel> GetAsync(LlmOpsDb db, string? name, CancellationToken ct)
    {
        TrackingKeys.Required(name, "name");
        return await db.Models.SingleOrDefaultAsync(m => m.Name == name, ct) ?? throw NotFound(name!);
    }

    internal static LlmOpsException NotFound(string name) => new(ErrorCode.ResourceDoesNotExist, $"Registered Model with name={TrackingKeys.Shown(name)} not found");

    private async Task ChangeAsync(string? name, Actor actor, Func<LlmOpsDb, RegisteredModel, DateTimeOffset, Task> change, CancellationToken ct)
    {
        actor.Require(Permission.WriteModels);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var model = await GetAsync(db, name, ct);
        var now = time.GetUtcNow();
        await change(db, model, now);
        if (!db.ChangeTracker.HasChanges())
            return;
        model.UpdatedAt = now;
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Model, model.Id);
    }
}
