using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>A measured number as the gate needs it.</summary>
public sealed record MeasuredMetric(string Name, double Value, double Low, double High, int N, string Unit, bool HigherIsBetter);

/// <param name="Differences">
/// Candidate minus champion, paired on the same rows, with interval; null without a champion. Empty means that there is a champion but no
/// row that both were measured on, which is no reason to let anything pass.
/// </param>
public sealed record GateCandidate(string VariantName, bool? ParityPassed, long SizeBytes, IReadOnlyList<MeasuredMetric> Metrics, IReadOnlyDictionary<string, MeasuredMetric>? Differences);

public sealed record GateOutcome(string VariantName, Verdict Verdict, IReadOnlyList<RuleResult> Reasons);

/// <summary>
/// Rules, each a line of text. A rule passes when the whole 95 % interval is on the good side, fails when it is wholly on the bad
/// side, and otherwise the rows at hand cannot tell. Pure: no database, no clock.
/// </summary>
public static partial class PromotionGate
{
    private sealed record Rule(string Text, string? Metric, string Operator, double Bound, bool AgainstChampion);

    public static void EnsureValid(IReadOnlyList<string> rules)
    {
        if (rules.Count == 0)
            throw LlmOpsException.Invalid("The gate has no rule: it would let everything through. Add at least one.");
        if (rules.Select(Problem).FirstOrDefault(p => p is not null) is { } problem)
            throw LlmOpsException.Invalid(problem);
    }

    /// <summary>Why this is no rule, or null when it is one.</summary>
    public static string? Problem(string rule) => TryParse(rule) is null
        ? $"'{rule}' is no gate rule. Write 'task.metric >= number', 'task.metric no-worse-than champion by number' or 'parity passed'."
        : null;

    public static GateOutcome Evaluate(IReadOnlyList<string> rules, GateCandidate candidate)
    {
        EnsureValid(rules);
        var reasons = rules.Select(r => Judge(TryParse(r)!, candidate)).ToList();
        var verdict = reasons.Any(r => r.Verdict == Verdict.Fail) ? Verdict.Fail
            : reasons.Any(r => r.Verdict == Verdict.CannotTell) ? Verdict.CannotTell : Verdict.Pass;
        return new GateOutcome(candidate.VariantName, verdict, reasons);
    }

    private static RuleResult Judge(Rule rule, GateCandidate candidate)
    {
        if (rule.Metric is null)
            return candidate.ParityPassed switch
            {
                true => new(rule.Text, Verdict.Pass, "The export computes what the checkpoint computes."),
                false => new(rule.Text, Verdict.Fail, "The export does not compute what the checkpoint computes."),
                null => new(rule.Text, Verdict.CannotTell, "No parity report is stored for this version. Export it first."),
            };
        if (rule.Metric == "size_bytes")
            return Compare(rule, new MeasuredMetric("size_bytes", candidate.SizeBytes, candidate.SizeBytes, candidate.SizeBytes, 1, "bytes", false));
        if (rule.AgainstChampion)
            return AgainstChampion(rule, candidate);
        var metric = candidate.Metrics.FirstOrDefault(m => m.Name == rule.Metric);
        return metric is null
            ? new(rule.Text, Verdict.CannotTell, $"{rule.Metric} was not measured. Measured: {string.Join(", ", candidate.Metrics.Select(m => m.Name).Order())}.")
            : Compare(rule, metric);
    }

    private static RuleResult Compare(Rule rule, MeasuredMetric m)
    {
        var (good, bad) = rule.Operator switch
        {
            "<=" => (m.High <= rule.Bound, m.Low > rule.Bound),
            "<" => (m.High < rule.Bound, m.Low >= rule.Bound),
            ">=" => (m.Low >= rule.Bound, m.High < rule.Bound),
            _ => (m.Low > rule.Bound, m.High <= rule.Bound),
        };
        var said = m.N == 1 ? $"{Number(m.Value)} {m.Unit}" : $"{Number(m.Value)} {m.Unit} (95 % interval {Number(m.Low)} … {Number(m.High)}, n = {m.N})";
        var verdict = good ? Verdict.Pass : bad ? Verdict.Fail : Verdict.CannotTell;
        var reason = verdict == Verdict.CannotTell ? $"{m.Name} is {said}: the interval holds {Number(rule.Bound)}, so more rows are needed." : $"{m.Name} is {said}.";
        return new(rule.Text, verdict, reason, m.Value, m.Low, m.High);
    }

    private static RuleResult AgainstChampion(Rule rule, GateCandidate candidate)
    {
        if (candidate.Differences is null)
            return new(rule.Text, Verdict.Pass, "There is no champion yet: only the absolute rules decide.");
        if (!candidate.Differences.TryGetValue(rule.Metric!, out var d))
            return new(rule.Text, Verdict.CannotTell, $"{rule.Metric} was not measured on the same rows for both.");
        // Worse by less than the margin, wholly: non-inferiority, not "no significant difference".
        var (low, high) = d.HigherIsBetter ? (d.Low, d.High) : (-d.High, -d.Low);
        var verdict = low > -rule.Bound ? Verdict.Pass : high < -rule.Bound ? Verdict.Fail : Verdict.CannotTell;
        return new(rule.Text, verdict, $"The difference to the champion is {Number(d.Value)} {d.Unit} (95 % interval {Number(d.Low)} … {Number(d.High)}, n = {d.N} pairs).", d.Value, d.Low, d.High);
    }

    private static Rule? TryParse(string text)
    {
        var trimmed = text.Trim();
        if (trimmed == "parity passed")
            return new(trimmed, null, "", 0, false);
        var absolute = AbsolutePattern().Match(trimmed);
        if (absolute.Success)
            return Bound(absolute.Groups[3].Value) is { } bound ? new(trimmed, absolute.Groups[1].Value, absolute.Groups[2].Value, bound, false) : null;
        var champion = ChampionPattern().Match(trimmed);
        return champion.Success && Bound(champion.Groups[2].Value) is { } margin ? new(trimmed, champion.Groups[1].Value, "", margin, true) : null;
    }

    /// <summary>The patterns also match "1.2.3" and "1e999".</summary>
    private static double? Bound(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var bound) && double.IsFinite(bound) ? bound : null;

    private static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "N0" : "0.####", CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^([a-z0-9_]+(?:\.[a-z0-9_]+)*)\s*(<=|>=|<|>)\s*(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)$")]
    private static partial Regex AbsolutePattern();

    [GeneratedRegex(@"^([a-z0-9_]+(?:\.[a-z0-9_]+)*)\s+no-worse-than\s+champion\s+by\s+([0-9.]+)$")]
    private static partial Regex ChampionPattern();
}
