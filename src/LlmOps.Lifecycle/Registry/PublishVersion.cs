using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

public sealed record NewVersion(string Model, string Stage, StoredArtifact Artifact, long Parameters, string Description, string TrainedOn, string Licence,
    string ReportJson, Guid? ParentVersionId, Guid? RunId, Guid? JobId);

public sealed record NewVariant(Guid VersionId, string Name, string Precision, StoredArtifact Artifact, string? SourceVariant, string ReportJson, Guid? JobId);

/// <summary>Adds versions and variants inside the transaction of the job that made them.</summary>
public static class PublishVersion
{
    public static async Task<ModelVersion> AddVersionAsync(this LlmOpsDb db, NewVersion made, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        var name = ModelName.Parse(made.Model);
        var model = await db.Models.SingleOrDefaultAsync(m => m.Name == name, ct);
        if (model is null)
        {
            db.Models.Add(model = new RegisteredModel { Name = name, Owner = actor.Name, CreatedAt = now });
            db.Record(actor, "create", "model", name, now);
            await db.AnnounceModelAsync(model, now, ct);
        }
        var number = Math.Max(model.LastNumber, await db.ModelVersions.Where(v => v.ModelId == model.Id).MaxAsync(v => (int?)v.Number, ct) ?? 0);
        var version = new ModelVersion
        {
            ModelId = model.Id, Model = model, Number = number + 1, Stage = made.Stage, Description = made.Description, ArtifactDigest = made.Artifact.Digest,
            SizeBytes = made.Artifact.SizeBytes, Parameters = made.Parameters, ParentVersionId = made.ParentVersionId, RunId = made.RunId, TrainedOn = made.TrainedOn,
            Licence = made.Licence, ReportJson = made.ReportJson, ProducedByJobId = made.JobId, CreatedBy = actor.Name, CreatedAt = now,
        };
        db.ModelVersions.Add(version);
        db.Record(actor, "create", "model-version", $"{name}/{version.Number}", now, after: new { version.Stage, version.ArtifactDigest });
        await db.AnnounceVersionAsync(name, version, now, ct);
        return version;
    }

    /// <summary>Adds the variant, or replaces one of the same name that an earlier round of the same stage made.</summary>
    public static async Task<ModelVariant> PutVariantAsync(this LlmOpsDb db, NewVariant made, Actor actor, DateTimeOffset now, CancellationToken ct)
    {
        var old = await db.ModelVariants.SingleOrDefaultAsync(v => v.VersionId == made.VersionId && v.Name == made.Name, ct);
        if (old is not null && old.ArtifactDigest == made.Artifact.Digest)
            return old;
        if (old is not null)
        {
            // An approval is about bytes and lets them be deployed at any later time, also when the alias has moved on.
            if (await db.Approvals.AnyAsync(a => a.VersionId == made.VersionId && a.VariantName == made.Name && a.State == Promotion.ApprovalState.Approved, ct))
                throw new LlmOpsException(ErrorCode.ResourceConflict, $"The variant {made.Name} was approved and cannot be replaced. Train a new version instead.");
            db.ModelVariants.Remove(old);
            await db.SaveChangesAsync(ct);
        }
        var variant = new ModelVariant
        {
            VersionId = made.VersionId, Name = made.Name, Precision = made.Precision, ArtifactDigest = made.Artifact.Digest, SizeBytes = made.Artifact.SizeBytes,
            SourceVariant = made.SourceVariant, ReportJson = made.ReportJson, ProducedByJobId = made.JobId, CreatedAt = now,
        };
        db.ModelVariants.Add(variant);
        db.Record(actor, old is null ? "create" : "replace", "model-variant", $"{made.VersionId}:{made.Name}", now, old is null ? null : new { old.ArtifactDigest }, new { variant.ArtifactDigest });
        return variant;
    }
}
