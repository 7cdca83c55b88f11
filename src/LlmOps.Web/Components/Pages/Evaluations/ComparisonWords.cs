using LlmOps.Lifecycle.Evaluation;
using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>What differences with intervals say, in words. Only an interval that leaves zero out says something.</summary>
public static class ComparisonWords
{
    /// <param name="noise">Metrics whose difference is below the suite's noise floor: it says nothing, whatever its interval.</param>
    public static string Verdict(string a, string b, IReadOnlyList<MetricComparison> metrics, IReadOnlySet<string>? noise = null)
    {
        if (noise is { Count: > 0 })
        {
            var moved = Names([.. metrics.Where(m => noise.Contains(m.Task.FullName) && m.Judgement != 0)], null);
            return Verdict(a, b, [.. metrics.Where(m => !noise.Contains(m.Task.FullName) || m.Judgement == 0)]) + (moved.Length > 0 ? $" Below the noise floor, so nothing is said about {moved}." : "");
        }
        if (metrics.Count == 0)
            return "These runs have no rows in common: nothing can be said.";
        var better = Names(metrics, 1);
        var worse = Names(metrics, -1);
        var open = Names(metrics, 0);
        var rest = open.Length == 0 ? "" : $" The rows cannot tell for {open}.";
        return (better, worse) switch
        {
            ({ Length: 0 }, { Length: 0 }) => $"No difference between {a} and {b} that these rows can show.",
            (_, { Length: 0 }) => $"{b} is better than {a} on {better}, and worse on nothing that these rows can show.{rest}",
            ({ Length: 0 }, _) => $"{b} is worse than {a} on {worse}, and better on nothing that these rows can show.{rest}",
            _ => $"{b} is better than {a} on {better}, but worse on {worse}.{rest}",
        };
    }

    public static string Judgement(MetricComparison metric) => metric.Judgement switch { 1 => "better", -1 => "worse", _ => "cannot tell" };

    /// <summary>"p = 0.003", and after Holm's correction where that differs.</summary>
    public static string P(MetricComparison metric) => metric.AdjustedPValue > metric.PValue ? $"p {Small(metric.PValue)}, Holm {Small(metric.AdjustedPValue)}" : $"p {Small(metric.PValue)}";

    /// <summary>Rows that could not be paired, in words; null when there are none.</summary>
    public static string? Missing(MetricComparison metric, string a, string b) => metric.Missing.Total == 0 ? null
        : string.Join(", ", new (int Count, string Of)[] { (metric.Missing.InA, a), (metric.Missing.InB, b), (metric.Missing.InBoth, "both") }.Where(m => m.Count > 0).Select(m => $"{Display.Count(m.Count)} of {m.Of}")) + " missing";

    /// <summary>The change in percent of the first run's value, positive when better; null where the first is zero.</summary>
    public static double? Gain(double value, double of, bool higherIsBetter) => of == 0 || !double.IsFinite(value / of) ? null : Math.Round(100 * value / Math.Abs(of) * (higherIsBetter ? 1 : -1), 3);

    private static string Small(double p) => p < 0.001 ? "< 0.001" : $"= {Display.Number(p, 2)}";

    private static string Names(IReadOnlyList<MetricComparison> metrics, int? judgement)
    {
        var names = metrics.Where(m => judgement is null || m.Judgement == judgement).Select(m => Measured.Words(m.Task.FullName).ToLowerInvariant().Replace(":", "", StringComparison.Ordinal)).ToList();
        return names.Count > 1 ? $"{string.Join(", ", names[..^1])} and {names[^1]}" : string.Concat(names);
    }
}
