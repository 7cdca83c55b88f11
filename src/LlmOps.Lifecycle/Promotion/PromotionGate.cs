using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>
/// Judges a candidate by a policy. A rule passes when the whole interval (of level 1 − 2α) is on the good side of its bound, fails when it is
/// wholly on the bad side and that is no chance among the rules, and otherwise the rows at hand cannot tell. Every rule must pass, so passing
/// needs no correction; one failing rule refuses, so failing does. Pure: no database, no clock.
/// </summary>
public static class PromotionGate
{
    public static void EnsureValid(IReadOnlyList<string> rules)
    {
        if (rules.Count == 0)
            throw LlmOpsException.Invalid("The gate has no rule: it would let everything through. Add at least one.");
        if (rules.Select(Problem).FirstOrDefault(p => p is not null) is { } problem)
            throw LlmOpsException.Invalid(problem);
    }

    /// <summary>Why this is no rule, or null when it is one.</summary>
    public static string? Problem(string rule) => RuleLine.TryParse(rule) is null
        ? $"'{rule}' is no gate rule. Write 'task.metric >= number', 'task.metric no-worse-than champion by number', 'parity passed' or 'contamination zero'."
        : null;

    public static GateOutcome Evaluate(IReadOnlyList<string> rules, GateCandidate candidate)
    {
        EnsureValid(rules);
        return Evaluate(PolicyDocument.OfRules(rules), candidate);
    }

    public static GateOutcome Evaluate(PolicyDocument policy, GateCandidate candidate)
    {
        var alpha = AlphaOf(policy, candidate.Look);
        var judged = policy.Rules.SelectMany(rule => JudgeRule.Judge(rule, policy, candidate, alpha)).ToList();
        if (policy.Correction == PolicyCorrection.Holm)
            judged = Corrected(judged, alpha);
        var results = judged.GroupBy(j => j.Rule).Select(g => Warned(g.Key, JudgeRule.Combine(g.Key, [.. g]), candidate)).ToList();
        var verdict = results.Exists(r => r.Verdict == Verdict.Fail) ? Verdict.Fail : results.Exists(r => r.Verdict == Verdict.CannotTell) ? Verdict.CannotTell : Verdict.Pass;
        return new(candidate.VariantName, verdict, results, alpha, candidate.Look, policy.Looks);
    }

    /// <summary>A score of a judge that nobody has held against people decides like any other, and says what it is.</summary>
    private static RuleResult Warned(PolicyRule rule, RuleResult result, GateCandidate candidate) =>
        rule.Metric is { } metric && candidate.JudgeWarnings.TryGetValue(metric, out var warning) ? result with { Reason = $"{result.Reason} Beware: {warning}." } : result;

    /// <summary>What this look may spend of the policy's alpha; 0 when every planned look was taken.</summary>
    public static double AlphaOf(PolicyDocument policy, int look) =>
        policy.Looks == 1 ? policy.Alpha : look > policy.Looks ? 0 : AlphaSpending.NominalLevels(policy.Looks, policy.Alpha)[look - 1];

    private static List<Judgement> Corrected(List<Judgement> judged, double alpha)
    {
        var tested = judged.Index().Where(j => j.Item.PBad is not null).ToList();
        if (tested.Count < 2)
            return judged;
        var adjusted = Holm.Adjust([.. tested.Select(t => t.Item.PBad!.Value)]);
        foreach (var ((index, one), p) in tested.Zip(adjusted))
            judged[index] = one.WithAdjusted(p, alpha, tested.Count);
        return judged;
    }
}
