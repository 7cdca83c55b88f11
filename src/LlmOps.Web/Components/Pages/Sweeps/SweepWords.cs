using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Sweeps.Search;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Components.Pages.Sweeps;

/// <summary>A sweep in words.</summary>
public static class SweepWords
{
    public static string Method(string method) => method switch
    {
        SweepMethods.Grid => "Grid",
        SweepMethods.Halving => "Successive halving",
        SweepMethods.Tpe => "Parzen estimators",
        _ => "Random",
    };

    public static string Method(SweepPlan plan) => plan.Method != SweepMethods.Halving ? Method(plan.Method)
        : $"{Method(plan.Method)}: {plan.Halving.Budget} from {plan.Halving.MinBudget}, one in {plan.Halving.Eta} goes on, {plan.Halving.Rungs} rungs at most";

    public static string Metric(SweepMetric metric, bool minimise)
    {
        var where = metric.MeasuredBy is not { } stage ? metric.Take == SweepMetric.Best ? "best point of the curve" : "last point of the curve"
            : metric.Variant is { } variant ? $"measured by {stage} on {variant}" : $"measured by {stage}";
        return $"{metric.Name}, {(minimise ? "lower" : "higher")} is better, {where}";
    }

    public static string Explain(string method) => method switch
    {
        SweepMethods.Grid => "Tries every combination once. For few parameters with few values.",
        SweepMethods.Halving => "Starts many short trials, lets the best of them go on with more steps, and so on. For trainings whose first steps say something about the last.",
        SweepMethods.Tpe => "Draws ten trials at random, then looks where good ones were denser than bad ones. For trials that are dear.",
        _ => "Draws each value evenly from its range. Hard to beat when little is known, and its trials can all run side by side.",
    };

    /// <summary>What the correlations of such a sweep do not say.</summary>
    public static string? Caveat(string method) => method switch
    {
        SweepMethods.Halving => "Only the first rung is counted: later ones had more steps.",
        SweepMethods.Tpe => "Parzen estimators look more often where it was good before, so these trials are no even sample.",
        _ => null,
    };

    /// <summary>What a parameter has to do with the result, and how far that can be told from chance.</summary>
    public static string Importance(ParameterImportance p, bool minimise)
    {
        if (p.Correlation is not { } r)
            return p.Trials < ParameterImportance.FewestTrials ? $"Cannot tell: {p.Trials} of at least {ParameterImportance.FewestTrials} trials." : "Cannot tell: its values or the results do not differ.";
        if (!p.IsClear)
            return $"Cannot be told from chance, which shows as much in {Display.Percent(p.Chance!.Value, 1)} of the cases.";
        return !p.HasDirection ? "The result depends on which is chosen." : r > 0 == minimise ? "Smaller values were better." : "Greater values were better.";
    }
}
