using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>The document as it was written; what <see cref="Judge.DefinitionJson"/> holds.</summary>
public sealed record JudgeDefinition(string Yaml);

/// <param name="IsNew">False where the same content was saved before: it is that version.</param>
public sealed record SavedJudge(Guid Id, string Name, int Number, string Digest, bool IsNew)
{
    public string Key => new VersionKey(Name, Number).ToString();
}

/// <summary>Freezes a judge as a new version. Another prompt is another judge: its scores are not the old ones'.</summary>
public sealed class SaveJudge(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task<SavedJudge> SaveAsync(string yaml, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteDatasets);
        var document = JudgeDocument.Parse(yaml);
        var saved = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var digest = document.Digest(await ModelDigestAsync(db, document, ct));
            if (await db.Judges.AsNoTracking().Where(j => j.Name == document.Name && j.Digest == digest).OrderBy(j => j.Number).FirstOrDefaultAsync(ct) is { } same)
                return new SavedJudge(same.Id, same.Name, same.Number, digest, false);
            var number = (await db.Judges.Where(j => j.Name == document.Name).MaxAsync(j => (int?)j.Number, ct) ?? 0) + 1;
            var judge = new Judge { Name = document.Name, Number = number, DefinitionJson = Json.Write(new JudgeDefinition(yaml)), Digest = digest, CreatedBy = actor.Name, CreatedAt = time.GetUtcNow() };
            db.Judges.Add(judge);
            db.Record(actor, "save", "judge", $"{document.Name}/{number}", judge.CreatedAt, after: new { digest, document.Kind, document.Mode });
            await db.SaveChangesAsync(ct);
            return new SavedJudge(judge.Id, judge.Name, number, digest, true);
        });
        await hints.ChangedAsync(Areas.Evaluation, Guid.Empty);
        return saved;
    }

    /// <summary>Of the variant that judges; null for an endpoint: what answers there may change without notice, and the documentation says so.</summary>
    internal static async Task<string?> ModelDigestAsync(LlmOpsDb db, JudgeDocument document, CancellationToken ct)
    {
        if (document.Kind != JudgeDocument.Local)
            return null;
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(document.Version!), ct);
        return await db.ModelVariants.Where(v => v.VersionId == version.Id && v.Name == document.Variant).Select(v => v.ArtifactDigest).SingleOrDefaultAsync(ct)
            ?? throw LlmOpsException.NotFound($"Variant of {document.Version}", document.Variant!);
    }
}

public static class JudgeQueries
{
    /// <summary>"name/number".</summary>
    public static async Task<Judge> GetJudgeAsync(this LlmOpsDb db, string key, CancellationToken ct = default)
    {
        var parsed = VersionKey.Parse(key);
        return await db.Judges.AsNoTracking().SingleOrDefaultAsync(j => j.Name == parsed.Name && j.Number == parsed.Number, ct) ?? throw LlmOpsException.NotFound("Judge", key);
    }

    public static JudgeDocument Document(this Judge judge) => JudgeDocument.Parse(Json.Read<JudgeDefinition>(judge.DefinitionJson).Yaml);
}
