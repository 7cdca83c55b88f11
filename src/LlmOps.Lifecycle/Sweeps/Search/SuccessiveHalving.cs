namespace LlmOps.Lifecycle.Sweeps.Search;

/// <summary>
/// Successive halving (Jamieson and Talwalkar 2016): many trials with a small budget, then the best 1/eta of them with eta times the budget, and so on.
/// A promoted trial goes on from where its shorter run ended (<see cref="PromotedTrial"/>), so a rung costs only the steps that it adds.
/// </summary>
/// <param name="Budget">The parameter that says how long a trial trains.</param>
/// <param name="MinBudget">Its value in the first rung.</param>
/// <param name="Eta">One in how many goes on.</param>
/// <param name="Rungs">How many rungs at most.</param>
public sealed record HalvingOptions(string Budget = "max_steps", int MinBudget = 10, int Eta = 3, int Rungs = 3);

/// <param name="Value">Null while it runs and when it failed.</param>
public sealed record RungTrial(int Number, double? Value);

public static class SuccessiveHalving
{
    public static long BudgetOf(HalvingOptions options, int rung) => (long)(options.MinBudget * Math.Pow(options.Eta, rung));

    /// <summary>Numbers of the trials that go on, the best first: a 1/eta of the rung, rounded down. What failed or is no number never goes on; of two alike the earlier trial does.</summary>
    public static IReadOnlyList<int> Promoted(IReadOnlyCollection<RungTrial> rung, int eta, bool minimise) =>
        [.. rung.Where(t => t.Value is { } v && double.IsFinite(v)).OrderBy(t => minimise ? t.Value!.Value : -t.Value!.Value).ThenBy(t => t.Number).Take(rung.Count / eta).Select(t => t.Number)];

    /// <summary>Trials of each rung when none fails.</summary>
    public static IReadOnlyList<int> Sizes(int trials, HalvingOptions options)
    {
        var sizes = new List<int>();
        for (var size = trials; size > 0 && sizes.Count < options.Rungs; size /= options.Eta)
            sizes.Add(size);
        return sizes;
    }
}
