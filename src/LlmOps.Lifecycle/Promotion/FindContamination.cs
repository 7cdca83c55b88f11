using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Contamination;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>What the contamination ledger says about a run, as a gate needs it.</summary>
internal static class FindContamination
{
    private const int MostNamed = 3;

    public static async Task<ContaminationFinding> FindAsync(LlmOpsDb db, EvaluationRun run, CancellationToken ct)
    {
        var statement = await ReadContamination.OfRunAsync(db, run, ct);
        return new(statement.Exact + statement.Near, statement.Unchecked) { Exact = statement.Exact, Compared = statement.Rows, NotMeasured = statement.NotMeasured, Named = [.. statement.Named(MostNamed)] };
    }
}
