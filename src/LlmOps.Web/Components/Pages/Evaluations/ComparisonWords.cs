using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>What differences with intervals say, in words. Only an interval that leaves zero out says something.</summary>
public static class ComparisonWords
{
    /// <summary>1: B is better, −1: B is worse, 0: the rows cannot tell.</summary>
    public static int Judge(MeasuredMetric difference) =>
        difference.Low > 0 ? difference.HigherIsBetter ? 1 : -1 : difference.High < 0 ? difference.HigherIsBetter ? -1 : 1 : 0;

    public static string Verdict(string a, string b, IReadOnlyList<MeasuredMetric> differences)
    {
        if (differences.Count == 0)
            return "These runs have no rows in common: nothing can be said.";
        var better = Names(differences, 1);
        var worse = Names(differences, -1);
        var open = Names(differences, 0);
        var rest = open.Length == 0 ? "" : $" The rows cannot tell for {open}.";
        return (better, worse) switch
        {
            ({ Length: 0 }, { Length: 0 }) => $"No difference between {a} and {b} that these rows can show.",
            (_, { Length: 0 }) => $"{b} is better than {a} on {better}, and worse on nothing that these rows can show.{rest}",
            ({ Length: 0 }, _) => $"{b} is worse than {a} on {worse}, and better on nothing that these rows can show.{rest}",
            _ => $"{b} is better than {a} on {better}, but worse on {worse}.{rest}",
        };
    }

    private static string Names(IReadOnlyList<MeasuredMetric> differences, int judgement)
    {
        var names = differences.Where(d => Judge(d) == judgement).Select(d => Measured.Words(d.Name).ToLowerInvariant().Replace(":", "", StringComparison.Ordinal)).ToList();
        return names.Count > 1 ? $"{string.Join(", ", names[..^1])} and {names[^1]}" : string.Concat(names);
    }
}
