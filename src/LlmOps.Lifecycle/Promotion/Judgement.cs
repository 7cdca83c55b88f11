namespace LlmOps.Lifecycle.Promotion;

/// <summary>One test of a rule: a rule about slices has one for each slice.</summary>
internal sealed record Judgement(PolicyRule Rule, Verdict Verdict, string Reason, double? Value = null, double? Low = null, double? High = null, double? PBad = null, int? N = null, int? MoreRows = null)
{
    public double? AdjustedPBad { get; private init; } = PBad;
    /// <summary>Rows that would decide, whatever the verdict: a failure that turns out to be chance needs them.</summary>
    public int? RowsToDecide { get; init; }

    public Judgement WithAdjusted(double p, double alpha, int tests) => Verdict == Verdict.Fail && p > alpha
        ? this with
        {
            AdjustedPBad = p, Verdict = Verdict.CannotTell, MoreRows = RowsToDecide,
            Reason = $"{Reason.TrimEnd('.')}; among {tests} tests that may be chance (p {GateNumbers.P(p)} after Holm's correction, {GateNumbers.P(alpha)} allowed){GateNumbers.Needs(RowsToDecide)}.",
        }
        : this with { AdjustedPBad = p };
}
