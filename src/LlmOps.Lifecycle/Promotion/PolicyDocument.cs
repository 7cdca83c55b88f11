using System.Globalization;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>What a rule demands.</summary>
public enum PolicyRuleKind { Threshold, Budget, NonInferiority, Improvement, Slices, Parity, Contamination, Licence }

public enum PolicyCorrection { Holm, None }

/// <summary>One demand on a candidate.</summary>
/// <param name="Metric">"task.metric", "size_bytes" or "cost_usd"; null for demands that are about no number.</param>
/// <param name="Operator">Of thresholds and budgets.</param>
/// <param name="Bound">The bound of a threshold or budget; the margin against the champion otherwise, never negative.</param>
/// <param name="Names">Slices (empty: all of them) or licences.</param>
public sealed record PolicyRule(PolicyRuleKind Kind, string? Metric = null, string Operator = "", double Bound = 0, IReadOnlyList<string>? Names = null)
{
    /// <summary>As it was written, where it was written as a line.</summary>
    public string? Written { get; init; }

    public bool AgainstChampion => Kind is PolicyRuleKind.NonInferiority or PolicyRuleKind.Improvement or PolicyRuleKind.Slices;

    public string Text => Written ?? Kind switch
    {
        PolicyRuleKind.Threshold or PolicyRuleKind.Budget => $"{Metric} {Operator} {Number(Bound)}",
        PolicyRuleKind.NonInferiority => $"{Metric} no-worse-than champion by {Number(Bound)}",
        PolicyRuleKind.Improvement => $"{Metric} better-than champion by {Number(Bound)}",
        PolicyRuleKind.Slices => $"{Metric} no-worse-than champion by {Number(Bound)} in {(Names is { Count: > 0 } ? $"the slices {string.Join(", ", Names)}" : "every slice")}",
        PolicyRuleKind.Parity => "parity passed",
        PolicyRuleKind.Contamination => "contamination zero",
        _ => $"licence one of {string.Join(", ", Names ?? [])}",
    };

    private static string Number(double value) => value.ToString("0.##########", CultureInfo.InvariantCulture);
}

/// <summary>
/// A checked gate policy. <see cref="Alpha"/> is one-sided: how often the policy refuses a candidate that lies exactly on a bound.
/// </summary>
public sealed record PolicyDocument
{
    public string Name { get; init; } = "";
    public string Description { get; init; } = "";
    public double Alpha { get; init; } = 0.05;
    /// <summary>Probability with which the rows that are asked for would decide.</summary>
    public double Power { get; init; } = 0.8;
    public PolicyCorrection Correction { get; init; } = PolicyCorrection.Holm;
    /// <summary>How often one candidate may be looked at with more rows; the looks share alpha.</summary>
    public int Looks { get; init; } = 1;
    /// <summary>With fewer rows a rule about a metric of many rows says nothing.</summary>
    public int MinimumRows { get; init; } = 2;
    /// <summary>Largest share of rows that may be missing in a comparison with the champion.</summary>
    public double MaximumMissing { get; init; } = 0.02;
    public IReadOnlyList<PolicyRule> Rules { get; init; } = [];

    public static PolicyDocument Parse(string yaml)
    {
        var problems = new List<string>();
        var document = PolicyYaml.Read(yaml, problems);
        return problems.Count == 0 ? document! : throw LlmOpsException.Invalid("The gate policy cannot be used:\n" + string.Join("\n", problems.Select(p => $"- {p}")));
    }

    /// <summary>Null when it is a policy, else what is wrong, each with its line.</summary>
    public static IReadOnlyList<string> Problems(string yaml)
    {
        var problems = new List<string>();
        PolicyYaml.Read(yaml, problems);
        return problems;
    }

    /// <summary>
    /// The rules of a pipeline's gate stage, one in each line. They are judged by whole 95 % intervals, each rule by itself, as before policies existed.
    /// </summary>
    public static PolicyDocument OfRules(IReadOnlyList<string> rules) => new()
    {
        Name = "rules", Alpha = 0.025, Correction = PolicyCorrection.None, MinimumRows = 1, MaximumMissing = 1, Rules = [.. rules.Select(r => RuleLine.TryParse(r)!)],
    };
}
