using System.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <param name="Folder">Where the files lie in this server's store; null when they lie elsewhere.</param>
public sealed record NewRegistration(string? Model, string? Source, ArtifactPath? Folder, Guid? RunId, Guid? LoggedModelId, string? RunLink, string? Description, IReadOnlyList<KeyValue> Tags);

/// <summary>
/// Registers a version that a client made. Files that lie here are fixed at this moment by their digests: what is approved later, and what is downloaded as this
/// version, are these bytes, whatever happens to the folder they were in. Of files elsewhere only the address is fixed.
/// </summary>
public sealed class RegisterVersion(IDbContextFactory<LlmOpsDb> dbs, LoggedFiles files, ArtifactStore store, Hints hints, TimeProvider time)
{
    /// <summary>The one form of such a version, so that requests, evidence and statements can name it.</summary>
    public const string Form = "files";
    /// <summary>Holds the address, where the files lie elsewhere.</summary>
    public const string SourceFile = "source.json";
    private const int LongestSource = 2000;

    public async Task<VersionKey> RegisterAsync(NewRegistration wanted, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        var source = TrackingLimits.EnsureText(TrackingKeys.Required(wanted.Source, "source"), "Source", LongestSource);
        TrackingLimits.EnsureText(wanted.RunLink, "Run link", LongestSource);
        TrackingLimits.EnsureText(wanted.Description, "Description", DescribeModel.LongestDescription);
        foreach (var tag in wanted.Tags)
            RegisteredName.EnsureTag(tag.Key, tag.Value);
        var held = wanted.Folder is { } folder ? await files.FreezeAsync(folder, ct) : null;
        var artifact = held ?? await AddressAsync(source, ct);
        var (key, id) = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var model = await ChangeModel.GetAsync(db, wanted.Model, ct);
            var now = time.GetUtcNow();
            var number = Math.Max(model.LastNumber, await db.ModelVersions.Where(v => v.ModelId == model.Id).MaxAsync(v => (int?)v.Number, ct) ?? 0) + 1;
            var version = new ModelVersion
            {
                ModelId = model.Id, Number = number, Stage = ModelVersion.Registered, Description = wanted.Description ?? "", ArtifactDigest = artifact.Digest, SizeBytes = held?.SizeBytes ?? 0, RunId = wanted.RunId,
                LoggedModelId = wanted.LoggedModelId, Licence = "", Source = source, RunLink = wanted.RunLink, CreatedBy = actor.Name, CreatedAt = now, UpdatedAt = now,
                Tags = [.. wanted.Tags.GroupBy(t => t.Key).Select(g => new VersionTag { Key = g.Key, Value = g.Last().Value })],
                Variants = [new ModelVariant { Name = Form, Precision = held is null ? "address only" : "as registered", ArtifactDigest = artifact.Digest, SizeBytes = held?.SizeBytes ?? 0, CreatedAt = now }],
            };
            db.ModelVersions.Add(version);
            model.UpdatedAt = now;
            db.Record(actor, "create", "model-version", $"{model.Name}/{number}", now, after: new { version.Stage, version.Source, version.ArtifactDigest });
            await db.AnnounceVersionAsync(model.Name, version, now, ct);
            await db.SaveChangesAsync(ct);
            return (new VersionKey(model.Name, number), model.Id);
        });
        await hints.ChangedAsync(Areas.Model, id);
        return key;
    }

    private async Task<StoredArtifact> AddressAsync(string source, CancellationToken ct)
    {
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(Json.Write(new { source })));
        var (digest, size) = await store.PutAsync(content, ct);
        return await store.PutManifestAsync([new(SourceFile, digest, size)], ct);
    }
}
