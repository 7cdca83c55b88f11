using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>The measurement a candidate is compared with.</summary>
internal static class FindChampion
{
    /// <summary>Null when there is no champion yet, or the version under test holds the alias itself.</summary>
    public static async Task<EvaluationRun?> FindAsync(LlmOpsDb db, ModelVersion version, GateQuestion question, CancellationToken ct)
    {
        var (versionId, variant) = (Guid.Empty, (string?)null);
        if (question.Champion.Contains('/', StringComparison.Ordinal))
        {
            var parts = question.Champion.Split(':', 2);
            versionId = (await db.ModelVersions.GetAsync(VersionKey.Parse(parts[0]), ct)).Id;
            variant = parts.Length == 2 ? parts[1] : throw LlmOpsException.Invalid($"'{question.Champion}' names no variant. Write the champion as an alias, or as name/number:variant.");
        }
        else
        {
            var alias = await db.Aliases.AsNoTracking().SingleOrDefaultAsync(a => a.ModelId == version.ModelId && a.Name == question.Champion, ct);
            if (alias is null || alias.VersionId == version.Id)
                return null;
            (versionId, variant) = (alias.VersionId, alias.VariantName);
        }
        return await db.EvaluationRuns.AsNoTracking().Where(r => r.VersionId == versionId && r.VariantName == variant && r.Suite!.Name == question.Suite && r.State == JobState.Succeeded)
            .OrderByDescending(r => r.StartedAt).FirstOrDefaultAsync(ct)
            ?? throw LlmOpsException.Invalid($"The champion '{question.Champion}' was never measured with the suite '{question.Suite}', so nothing can be compared with it. Evaluate it first.");
    }
}
