using System.Globalization;
using System.Text;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Writes a policy as YAML: what the form saves. Reading it gives the same policy again.</summary>
public static class PolicyText
{
    public static string Write(PolicyDocument policy)
    {
        var text = new StringBuilder();
        void Line(string line) => text.Append(line).Append('\n');
        Line($"name: {policy.Name}");
        if (policy.Description.Length > 0)
            Line($"description: {Quoted(policy.Description)}");
        Line($"alpha: {Number(policy.Alpha)}");
        Line($"power: {Number(policy.Power)}");
        Line($"correction: {(policy.Correction == PolicyCorrection.Holm ? "holm" : "none")}");
        Line($"looks: {Number(policy.Looks)}");
        Line($"minimum_rows: {Number(policy.MinimumRows)}");
        Line($"maximum_missing: {Number(policy.MaximumMissing)}");
        void Section(string name, PolicyRuleKind kind, Func<PolicyRule, IEnumerable<string>> fields)
        {
            var rules = policy.Rules.Where(r => r.Kind == kind).ToList();
            if (rules.Count > 0)
                Line(name + ":");
            foreach (var rule in rules)
            {
                Line($"  - metric: {rule.Metric}");
                foreach (var field in fields(rule))
                    Line("    " + field);
            }
        }
        Section("thresholds", PolicyRuleKind.Threshold, r => [$"{Bound(r.Operator)}: {Number(r.Bound)}"]);
        Section("budgets", PolicyRuleKind.Budget, r => [$"at_most: {Number(r.Bound)}"]);
        Section("non_inferiority", PolicyRuleKind.NonInferiority, r => [$"margin: {Number(r.Bound)}"]);
        Section("improvements", PolicyRuleKind.Improvement, r => [$"by: {Number(r.Bound)}"]);
        Section("slices", PolicyRuleKind.Slices, r => r.Names is { Count: > 0 } ? [$"margin: {Number(r.Bound)}", $"only: {List(r.Names)}"] : [$"margin: {Number(r.Bound)}"]);
        var demands = policy.Rules.Select(Demand).OfType<string>().ToList();
        if (demands.Count > 0)
            Line("demands:");
        demands.ForEach(d => Line("  " + d));
        return text.ToString();
    }

    private static string? Demand(PolicyRule rule) => rule.Kind switch
    {
        PolicyRuleKind.Parity => "parity: passed",
        PolicyRuleKind.Contamination => "contamination: zero",
        PolicyRuleKind.Licence => $"licences: {List(rule.Names ?? [])}",
        _ => null,
    };

    private static string Bound(string sign) => sign switch { ">=" => "at_least", "<=" => "at_most", ">" => "above", _ => "below" };

    private static string List(IEnumerable<string> names) => $"[{string.Join(", ", names.Select(Quoted))}]";

    private static string Quoted(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private static string Number(double value) => value.ToString("0.##############", CultureInfo.InvariantCulture);
}
