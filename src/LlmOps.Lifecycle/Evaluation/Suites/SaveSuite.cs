using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <param name="IsNew">False where the same content was saved before: it is that version.</param>
public sealed record SavedSuite(string Name, int Number, string Digest, bool IsNew)
{
    public string Key => new VersionKey(Name, Number).ToString();
}

/// <summary>Freezes a suite's content and the rows it names as a new version. The same content again is the version that is there.</summary>
public sealed class SaveSuite(IDbContextFactory<LlmOpsDb> dbs, Hints hints, TimeProvider time)
{
    public async Task<SavedSuite> SaveAsync(string yaml, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteDatasets);
        var document = SuiteDocument.Parse(yaml);
        var saved = await UniqueViolation.RetryAsync(async () =>
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var digest = document.Digest(await PinsAsync(db, document, ct));
            var now = time.GetUtcNow();
            var suite = await db.EvaluationSuites.SingleOrDefaultAsync(s => s.Name == document.Name, ct);
            if (suite is null)
                db.EvaluationSuites.Add(suite = new EvaluationSuite { Name = document.Name, DefinitionJson = "{}", CreatedAt = now });
            if (await db.SuiteVersions.AsNoTracking().Where(v => v.SuiteId == suite.Id && v.Digest == digest).OrderBy(v => v.Number).FirstOrDefaultAsync(ct) is { } same)
                return new SavedSuite(document.Name, same.Number, digest, false);
            var number = (await db.SuiteVersions.Where(v => v.SuiteId == suite.Id).MaxAsync(v => (int?)v.Number, ct) ?? 0) + 1;
            db.SuiteVersions.Add(new SuiteVersion { SuiteId = suite.Id, Number = number, Yaml = yaml, Digest = digest, CreatedBy = actor.Name, CreatedAt = now });
            db.Record(actor, "save", "suite-version", $"{document.Name}/{number}", now, after: new { digest, tasks = document.Tasks.Count });
            await db.SaveChangesAsync(ct);
            return new SavedSuite(document.Name, number, digest, true);
        });
        await hints.ChangedAsync(Areas.Evaluation, Guid.Empty);
        return saved;
    }

    /// <summary>Digest of the rows of each dataset version that a suite names, of each index of a knowledge base, and of each judge.</summary>
    public static async Task<Dictionary<string, string>> PinsAsync(LlmOpsDb db, SuiteDocument document, CancellationToken ct)
    {
        var pins = new Dictionary<string, string>();
        foreach (var key in document.Tasks.Select(t => t.Dataset).OfType<string>().Distinct())
            pins[key] = (await db.DatasetVersions.GetAsync(key, ct)).ArtifactDigest;
        foreach (var key in document.Tasks.Select(t => t.Knowledge).OfType<string>().Distinct())
            pins[$"index {key}"] = (await db.IndexBuilds.GetAsync(key, ct)).ArtifactDigest;
        foreach (var task in document.Tasks.Where(t => t.Judge is not null))
        {
            var judge = await db.GetJudgeAsync(task.Judge!, ct);
            if (judge.Document().Mode is var mode && mode != JudgeKinds.ModeOf(task))
                throw LlmOpsException.Invalid($"The judge {task.Judge} is made for '{mode}', and a task of kind {task.Kind} asks for '{JudgeKinds.ModeOf(task)}'. Name another judge for {task.Name}, or save one with that mode.");
            pins[$"judge {task.Judge}"] = judge.Digest;
        }
        return pins;
    }
}

public static class SuiteQueries
{
    /// <summary>"name/number".</summary>
    public static async Task<SuiteVersion> GetSuiteAsync(this LlmOpsDb db, string key, CancellationToken ct = default)
    {
        var parsed = VersionKey.Parse(key);
        return await db.SuiteVersions.AsNoTracking().SingleOrDefaultAsync(v => v.Number == parsed.Number && db.EvaluationSuites.Any(s => s.Id == v.SuiteId && s.Name == parsed.Name), ct)
            ?? throw LlmOpsException.NotFound("Suite version", key);
    }
}
