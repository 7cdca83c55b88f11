using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Evaluation.Contamination;

/// <summary>Reports of the ledger that the current rule wrote.</summary>
internal static class LedgerReports
{
    public static async Task<Dictionary<(string Evaluation, string Training), ContaminationReport>> FindAsync(LlmOpsDb db, ContaminationScope scope, CancellationToken ct)
    {
        var (left, right) = (scope.Evaluation.Select(e => e.Digest).Distinct().ToList(), scope.Training.Select(t => t.Digest).Distinct().ToList());
        var found = await db.ContaminationReports.AsNoTracking().Where(r => left.Contains(r.EvaluationDatasetDigest) && right.Contains(r.TrainingDatasetDigest)).ToListAsync(ct);
        return found.Where(r => LedgerDetail.Of(r).Rule == LedgerDetail.CurrentRule).ToDictionary(r => (r.EvaluationDatasetDigest, r.TrainingDatasetDigest));
    }
}
