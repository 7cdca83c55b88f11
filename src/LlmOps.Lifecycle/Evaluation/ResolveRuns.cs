using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>What people call a run: its id, or a version and variant whose newest run is meant.</summary>
public sealed class ResolveRuns(IDbContextFactory<LlmOpsDb> dbs)
{
    /// <param name="names">Ids, "name/number:variant", or "name/number" for its smallest measured variant; separated by commas.</param>
    /// <param name="suite">Only runs of this suite count; null for any.</param>
    public async Task<IReadOnlyList<Guid>> ResolveAsync(string names, string? suite = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var found = new List<Guid>();
        foreach (var name in names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            found.Add(Guid.TryParse(name, out var id) ? id : await NewestAsync(db, name, suite, ct));
        return found;
    }

    private static async Task<Guid> NewestAsync(LlmOpsDb db, string name, string? suite, CancellationToken ct)
    {
        var parts = name.Split(':', 2);
        var version = await db.ModelVersions.GetAsync(VersionKey.Parse(parts[0]), ct);
        var runs = db.EvaluationRuns.AsNoTracking().Where(r => r.VersionId == version.Id && r.State == JobState.Succeeded && (suite == null || r.Suite!.Name == suite));
        if (parts.Length == 2)
        {
            var variant = parts[1];
            runs = runs.Where(r => r.VariantName == variant);
        }
        else if (await db.ModelVariants.AsNoTracking().Where(v => v.VersionId == version.Id && runs.Any(r => r.VariantName == v.Name)).OrderBy(v => v.SizeBytes).Select(v => v.Name).FirstOrDefaultAsync(ct) is { } smallest)
            runs = runs.Where(r => r.VariantName == smallest);
        return await runs.OrderByDescending(r => r.StartedAt).Select(r => (Guid?)r.Id).FirstOrDefaultAsync(ct)
            ?? throw LlmOpsException.Invalid($"'{name}' has no finished evaluation{(suite is null ? "" : $" of the suite '{suite}'")}. Evaluate it, or name a run by its id.");
    }
}
