using System.Globalization;
using LlmOps.Lifecycle.Promotion;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Gates;

/// <summary>A policy as a reader needs it: each rule, and what it takes to pass it.</summary>
public sealed partial class PolicyRules
{
    [Parameter, EditorRequired] public PolicyDocument Policy { get; set; } = null!;

    /// <summary>A number that somebody chose, as it was written: digits behind it would claim a precision.</summary>
    private static string Plain(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    private string Words(PolicyRule rule)
    {
        var interval = $"the whole {Plain(100 * (1 - 2 * Policy.Alpha))} % interval";
        return rule.Kind switch
        {
            PolicyRuleKind.Threshold or PolicyRuleKind.Budget => rule.Metric is "size_bytes" or "cost_usd" ? "the number is within the bound" : $"{interval} of the metric is on the good side of the bound",
            PolicyRuleKind.NonInferiority => $"{interval} of the paired difference to the champion is better than “worse by {Plain(rule.Bound)}”",
            PolicyRuleKind.Improvement => $"{interval} of the paired difference to the champion is better than “better by {Plain(rule.Bound)}”",
            PolicyRuleKind.Slices => $"the same holds in {(rule.Names is { Count: > 0 } ? "each of these slices" : "every slice")}",
            PolicyRuleKind.Parity => "the stored parity report says that the export computes what the checkpoint computes",
            PolicyRuleKind.Contamination => "no row of the evaluation is in the training data of the version or its ancestors",
            _ => "the version states one of these licences",
        };
    }
}
