using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <summary>Describes, tags and deletes versions.</summary>
public sealed class ChangeVersion(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public Task DescribeAsync(string? model, int number, string? description, Actor actor, CancellationToken ct = default) => ChangeAsync(model, number, actor, (db, version, now) =>
    {
        TrackingLimits.EnsureText(description, "Description", DescribeModel.LongestDescription);
        db.Record(actor, "describe", "model-version", version.Key(), now, new { version.Description }, new { description });
        version.Description = description ?? "";
        return Task.CompletedTask;
    }, ct);

    public Task TagAsync(string? model, int number, string? key, string? value, Actor actor, CancellationToken ct = default) => ChangeAsync(model, number, actor, async (db, version, now) =>
    {
        RegisteredName.EnsureTag(key, value);
        var tag = await db.VersionTags.SingleOrDefaultAsync(t => t.VersionId == version.Id && t.Key == key, ct);
        db.Record(actor, "tag", "model-version", version.Key(), now, tag is null ? null : new { key, tag.Value }, new { key, value });
        if (tag is null)
            db.VersionTags.Add(new VersionTag { VersionId = version.Id, Key = key!, Value = value ?? "" });
        else
            tag.Value = value ?? "";
        await db.AnnounceTagAsync(version, key!, value ?? "", now, ct);
    }, ct);

    public Task UntagAsync(string? model, int number, string? key, Actor actor, CancellationToken ct = default) => ChangeAsync(model, number, actor, async (db, version, now) =>
    {
        TrackingKeys.Required(key, "key");
        if (await db.VersionTags.SingleOrDefaultAsync(t => t.VersionId == version.Id && t.Key == key, ct) is not { } tag)
            return;
        db.Record(actor, "untag", "model-version", version.Key(), now, new { key, tag.Value });
        db.VersionTags.Remove(tag);
        await db.AnnounceTagAsync(version, key!, null, now, ct);
    }, ct);

    /// <summary>Only of versions that a client registered and that nothing refers to; its number is not given again.</summary>
    public async Task DeleteAsync(string? model, int number, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await GetAsync(db, model, number, ct);
        await RemoveAsync(db, version.Model!, version, ct);
        version.Model!.LastNumber = Math.Max(version.Model.LastNumber, number);
        version.Model.UpdatedAt = time.GetUtcNow();
        db.Record(actor, "delete", "model-version", version.Key(), time.GetUtcNow(), new { version.Source, version.ArtifactDigest });
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Model, version.ModelId);
    }

    internal static async Task RemoveAsync(LlmOpsDb db, RegisteredModel model, ModelVersion version, CancellationToken ct)
    {
        var key = $"{model.Name}/{version.Number}";
        if (version.Stage != ModelVersion.Registered)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{key} was made by this product; lineage, measurements and signed statements rest on it, so it is kept.");
        if (await db.Approvals.AnyAsync(a => a.VersionId == version.Id, ct))
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{key} is what a request for approval is about, so it is kept as evidence.");
        if (await db.EvaluationRuns.AnyAsync(r => r.VersionId == version.Id, ct))
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{key} was measured, so it is kept.");
        var aliases = await db.Aliases.Where(a => a.VersionId == version.Id).ToListAsync(ct);
        if (aliases.FirstOrDefault(a => PointAlias.IsProtected(model, a.Name)) is { } guarded)
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"{key} holds '{guarded.Name}', which moves only with an approval. Move it to another version first.");
        db.Aliases.RemoveRange(aliases);
        db.ModelVersions.Remove(version);
    }

    internal static async Task<ModelVersion> GetAsync(LlmOpsDb db, string? model, int number, CancellationToken ct)
    {
        TrackingKeys.Required(model, "name");
        return await db.ModelVersions.Include(v => v.Model).SingleOrDefaultAsync(v => v.Model!.Name == model && v.Number == number, ct)
            ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Model Version (name={TrackingKeys.Shown(model!)}, version={number}) not found");
    }

    private async Task ChangeAsync(string? model, int number, Actor actor, Func<LlmOpsDb, ModelVersion, DateTimeOffset, Task> change, CancellationToken ct)
    {
        actor.Require(Permission.WriteModels);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var version = await GetAsync(db, model, number, ct);
        var now = time.GetUtcNow();
        await change(db, version, now);
        if (!db.ChangeTracker.HasChanges())
            return;
        version.UpdatedAt = now;
        await db.SaveChangesAsync(ct);
        await hints.ChangedAsync(Areas.Model, version.ModelId);
    }
}
