using System.Globalization;
using LlmOps.Lifecycle.Evaluation;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>One rule on one candidate. Pure.</summary>
internal static class JudgeRule
{
    /// <summary>With so many equal values, at most a tenth of all values is another one (at 95 %: 0.9ⁿ ≤ 0.05).</summary>
    private const int FewestAlike = 29;

    public static IEnumerable<Judgement> Judge(PolicyRule rule, PolicyDocument policy, GateCandidate candidate, double alpha) => rule.Kind switch
    {
        PolicyRuleKind.Parity => [Parity(rule, candidate)],
        PolicyRuleKind.Licence => [Licence(rule, candidate)],
        PolicyRuleKind.Contamination => [Contamination(rule, candidate)],
        _ when rule.AgainstChampion => AgainstChampion(rule, policy, candidate, alpha),
        _ => [Absolute(rule, policy, candidate, alpha)],
    };

    /// <summary>The tests of one rule as one result: the worst decides, and with it its reason.</summary>
    public static RuleResult Combine(PolicyRule rule, IReadOnlyList<Judgement> tests)
    {
        var worst = tests.OrderBy(t => t.Verdict switch { Verdict.Fail => 0, Verdict.CannotTell => 1, _ => 2 }).ThenBy(t => t.AdjustedPBad ?? 1).First();
        var same = tests.Count(t => t.Verdict == worst.Verdict);
        var reason = tests.Count == 1 ? worst.Reason : worst.Verdict == Verdict.Pass ? $"None of the {tests.Count} slices is worse by the margin." : same > 1 ? $"{worst.Reason} So {same} of {tests.Count} slices." : worst.Reason;
        return new(rule.Text, worst.Verdict, reason, worst.Value, worst.Low, worst.High, worst.PBad, worst.AdjustedPBad, worst.N,
            worst.Verdict == Verdict.CannotTell ? tests.Where(t => t.Verdict == Verdict.CannotTell).Max(t => t.MoreRows) : null);
    }

    private static Judgement Parity(PolicyRule rule, GateCandidate candidate) => candidate.ParityPassed switch
    {
        true => new(rule, Verdict.Pass, "The export computes what the checkpoint computes."),
        false => new(rule, Verdict.Fail, "The export does not compute what the checkpoint computes."),
        null => new(rule, Verdict.CannotTell, "No parity report is stored for this version. Export it first."),
    };

    private static Judgement Licence(PolicyRule rule, GateCandidate candidate) => candidate.Licence is not { Length: > 0 } licence
        ? new(rule, Verdict.CannotTell, "The version states no licence.")
        : rule.Names!.Contains(licence, StringComparer.OrdinalIgnoreCase) ? new(rule, Verdict.Pass, $"The licence is {licence}.") : new(rule, Verdict.Fail, $"The licence is {licence}, which is not in the list.");

    private static Judgement Contamination(PolicyRule rule, GateCandidate candidate) => candidate.Contamination switch
    {
        { Rows: > 0 } found => new(rule, Verdict.Fail, $"At least {Count(found.Rows)} {(found.Rows == 1 ? "row" : "rows")} of the evaluation {(found.Rows == 1 ? "is" : "are")} in the training data, {Count(found.Exact)} word by word, the others nearly{(found.Named.Count > 0 ? ": " + string.Join("; ", found.Named) : "")}."),
        { Unchecked.Count: > 0 } found => new(rule, Verdict.CannotTell, $"These were never compared: {string.Join("; ", found.Unchecked)}. Check their contamination first."),
        null => new(rule, Verdict.CannotTell, "It is not known which datasets the version was trained on."),
        { NotMeasured: > 0 } found => new(rule, Verdict.Pass, $"No row that was measured is in the training data; {Count(found.NotMeasured)} other rows of its datasets are."),
        _ => new(rule, Verdict.Pass, candidate.Contamination.Compared > 0 ? $"None of the {Count(candidate.Contamination.Compared)} rows is in the training data." : "No row of the evaluation is in the training data."),
    };

    private static Judgement Absolute(PolicyRule rule, PolicyDocument policy, GateCandidate candidate, double alpha)
    {
        var metric = rule.Metric == "size_bytes"
            ? new("size_bytes", candidate.SizeBytes, candidate.SizeBytes, candidate.SizeBytes, 1, "bytes", false)
            : candidate.Metrics.FirstOrDefault(m => m.Name == rule.Metric);
        if (metric is null)
            return new(rule, Verdict.CannotTell, $"{rule.Metric} was not measured. Measured: {string.Join(", ", candidate.Metrics.Select(m => m.Name).Order(StringComparer.Ordinal))}.");
        if (TooFew(rule, policy, metric, "rows") is { } few)
            return few;
        var (low, high) = metric.N == 1 ? (metric.Low, metric.High) : GateNumbers.AtLevel(metric, alpha);
        var (good, bad) = rule.Operator switch
        {
            "<=" => (high <= rule.Bound, low > rule.Bound),
            "<" => (high < rule.Bound, low >= rule.Bound),
            ">=" => (low >= rule.Bound, high < rule.Bound),
            _ => (low > rule.Bound, high <= rule.Bound),
        };
        var upward = rule.Operator is ">=" or ">";
        double? p = metric.N == 1 ? null : upward ? GateNumbers.PBelow(metric, rule.Bound) : GateNumbers.PBelow(Mirrored(metric), -rule.Bound);
        var more = metric.N == 1 ? null : GateNumbers.MoreRows(GateNumbers.Spread(metric), metric.Value - rule.Bound, metric.N, alpha, policy.Power);
        var said = metric.N == 1 ? $"{metric.Name} is {GateNumbers.Number(metric.Value)} {metric.Unit}"
            : $"{metric.Name} is {GateNumbers.Number(metric.Value)} {metric.Unit} ({GateNumbers.Level(alpha)} {GateNumbers.Number(low)} … {GateNumbers.Number(high)}, n = {metric.N})";
        var task = metric.Name[..Math.Max(0, metric.Name.IndexOf('.', StringComparison.Ordinal))];
        if (candidate.Machines.TryGetValue(task, out var machines) && machines.Count > 0)
            said += $", measured on {string.Join(" and ", machines)}";
        return Decided(new(rule, Verdict.CannotTell, "", metric.Value, low, high, p, metric.N) { RowsToDecide = more }, good, bad, said + ".", SpentOr(policy, candidate, $"{said}: the interval holds {GateNumbers.Number(rule.Bound)}{GateNumbers.Needs(more)}."));
    }

    private static IEnumerable<Judgement> AgainstChampion(PolicyRule rule, PolicyDocument policy, GateCandidate candidate, double alpha)
    {
        if (candidate.Differences is null)
            return [new(rule, Verdict.Pass, "There is no champion yet: only the absolute rules decide.")];
        if (!candidate.Differences.TryGetValue(rule.Metric!, out var difference))
            return [new(rule, Verdict.CannotTell, candidate.Incomparable.TryGetValue(rule.Metric!, out var why) ? $"{rule.Metric} cannot be compared: {why}." : $"{rule.Metric} was not measured on the same rows for both.")];
        var compared = candidate.Compared.GetValueOrDefault(rule.Metric!);
        if (compared is { Missing.Total: > 0 } && compared.Missing.Total > policy.MaximumMissing * (compared.Missing.Total + difference.N))
            return [new(rule, Verdict.CannotTell, $"{Count(compared.Missing.Total)} rows are not scored for both ({Count(compared.Missing.InA)} are missing of the champion, {Count(compared.Missing.InB)} of the candidate, {Count(compared.Missing.InBoth)} of both), {Count(difference.N)} are. Run the missing rows again.", N: difference.N)];
        if (rule.Kind != PolicyRuleKind.Slices)
            return [Test(rule, policy, candidate, alpha, difference, compared?.Clusters ?? difference.N, compared is null ? null : (compared.PValue, compared.Improved, compared.Regressed), "")];
        var slices = compared?.Slices ?? [];
        if (rule.Names is { Count: > 0 } names && names.FirstOrDefault(n => slices.All(s => s.Slice != n)) is { } absent)
            return [new(rule, Verdict.CannotTell, $"The slice '{absent}' has no two rows that both scored.")];
        var wanted = slices.Where(s => rule.Names is not { Count: > 0 } || rule.Names.Contains(s.Slice)).ToList();
        return wanted.Count == 0 ? [new(rule, Verdict.CannotTell, $"The rows of {rule.Metric} are in no slices.")]
            : [.. wanted.Select(s => Test(rule, policy, candidate, alpha, difference with { Value = s.Effect, Low = s.Low, High = s.High, N = s.N }, Math.Min(s.N, compared?.Clusters ?? s.N), (s.PValue, s.Improved, s.Regressed), $" in the slice '{s.Slice}'"))];
    }

    /// <summary>Non-inferiority (not worse by the margin, wholly), or superiority for an improvement. Not "no significant difference".</summary>
    private static Judgement Test(PolicyRule rule, PolicyDocument policy, GateCandidate candidate, double alpha, MeasuredMetric difference, int independent, (double P, int Improved, int Regressed)? rows, string where)
    {
        if (TooFew(rule, policy, difference, "pairs") is { } few)
            return few;
        // Rows of one source say the same thing many times: what counts are the sources.
        if (independent < difference.N && TooFew(rule, policy, difference with { N = independent }, "independent sources of pairs") is { } sources)
            return sources;
        // Resampling values that are all the same gives an interval without width, which looks like certainty.
        if (difference.Low == difference.High && independent < FewestAlike)
            return new(rule, Verdict.CannotTell, $"All pairs{where} differ by the same {GateNumbers.Number(difference.Value)} {difference.Unit}, and {Count(independent)} are too few to say that others would: {Count(FewestAlike - independent)} more rows are needed.", difference.Value, N: difference.N, MoreRows: FewestAlike - independent);
        var gain = difference.HigherIsBetter ? difference : Mirrored(difference);
        var bound = rule.Kind == PolicyRuleKind.Improvement ? rule.Bound : -rule.Bound;
        var (low, high) = GateNumbers.AtLevel(gain, alpha);
        // At a bound of zero the comparison's own test (McNemar, permutation) is exact for few rows; elsewhere the interval is the test.
        var p = bound == 0 && rows is { } test ? gain.Value < 0 ? test.P / 2 : 1 - test.P / 2 : GateNumbers.PBelow(gain, bound);
        var bad = bound == 0 && rows is not null ? p <= alpha && gain.Value < 0 : high < bound;
        // Planned for a candidate that is just as good as the champion; when there are rows enough for that, from what was seen.
        var spread = GateNumbers.Spread(difference);
        var planned = rule.Kind != PolicyRuleKind.Improvement && rule.Bound > 0 ? GateNumbers.MoreRows(spread, rule.Bound, 0, alpha, policy.Power) : null;
        var more = planned > difference.N ? planned - difference.N : GateNumbers.MoreRows(spread, gain.Value - bound, difference.N, alpha, policy.Power);
        var moved = rows is { } r ? $"; {Count(r.Regressed)} rows got worse, {Count(r.Improved)} better" : "";
        var (shownLow, shownHigh) = difference.HigherIsBetter ? (low, high) : (-high, -low);
        var said = $"The difference to the champion{where} is {GateNumbers.Number(difference.Value)} {difference.Unit} ({GateNumbers.Level(alpha)} {GateNumbers.Number(shownLow)} … {GateNumbers.Number(shownHigh)}, n = {Count(difference.N)} pairs{moved})";
        var (passed, failed) = rule.Kind == PolicyRuleKind.Improvement ? ("it is better by more than that", "it is not that much better")
            : rule.Bound == 0 ? ("it is better", "it is worse") : (gain.Value >= 0 ? "it is not worse" : "it is worse, but by less than the margin", "it is worse by more than the margin");
        return Decided(new(rule, Verdict.CannotTell, "", difference.Value, shownLow, shownHigh, p, difference.N) { RowsToDecide = more },
            low > bound, bad, said, SpentOr(policy, candidate, $"{said}: these rows do not show whether it is {(rule.Kind == PolicyRuleKind.Improvement ? "that much better" : rule.Bound == 0 ? "worse" : "worse by the margin")}{GateNumbers.Needs(more)}."),
            $": {passed}.", $": {failed}.");
    }

    private static Judgement Decided(Judgement test, bool good, bool bad, string said, string open, string passed = "", string failed = "") =>
        good ? test with { Verdict = Verdict.Pass, Reason = said + passed } : bad ? test with { Verdict = Verdict.Fail, Reason = said + failed } : test with { Reason = open, MoreRows = test.RowsToDecide };

    private static Judgement? TooFew(PolicyRule rule, PolicyDocument policy, MeasuredMetric metric, string what) => metric.N > 1 && metric.N < policy.MinimumRows
        ? new(rule, Verdict.CannotTell, $"{metric.Name} has {Count(metric.N)} {what}; the policy asks for {Count(policy.MinimumRows)}: {Count(policy.MinimumRows - metric.N)} more rows are needed.", metric.Value, N: metric.N, MoreRows: policy.MinimumRows - metric.N)
        : null;

    private static string SpentOr(PolicyDocument policy, GateCandidate candidate, string reason) => candidate.Look > policy.Looks && policy.Looks > 1
        ? $"This is look {candidate.Look} of {policy.Looks} planned: the false-alarm rate is spent, so nothing more can be said about this candidate under this policy." : reason;

    private static MeasuredMetric Mirrored(MeasuredMetric m) => m with { Value = -m.Value, Low = -m.High, High = -m.Low };

    private static string Count(int n) => n.ToString("N0", CultureInfo.InvariantCulture);
}
