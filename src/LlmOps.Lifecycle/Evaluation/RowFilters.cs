namespace LlmOps.Lifecycle.Evaluation;

/// <summary>Which rows of several runs a reader wants to see. The first run is what the others are compared with.</summary>
public static class RowFilters
{
    public const string Improved = "improved", Regressed = "regressed", Disagree = "disagree", Missing = "missing", Paired = "paired";

    public static IReadOnlyList<string> Offered { get; } = [Regressed, Improved, Disagree, Missing];

    internal static bool Holds(string? filter, EvaluationTask task, IReadOnlyList<ScoredColumns> runs, int[] rows)
    {
        bool Scored(int run) => rows[run] >= 0 && !runs[run].Missing[rows[run]];
        // positive: the run is better than the first
        double Gain(int run) => Scored(0) && Scored(run) ? (runs[run].Score(rows[run]) - runs[0].Score(rows[0])) * (task.HigherIsBetter ? 1 : -1) : 0;
        var all = Enumerable.Range(0, runs.Count);
        return filter switch
        {
            Improved => all.Any(r => Gain(r) > 0),
            Regressed => all.Any(r => Gain(r) < 0),
            Disagree => all.Where(Scored).Select(r => runs[r].Score(rows[r])).Distinct().Skip(1).Any(),
            Missing => !all.All(Scored),
            Paired => all.All(Scored),
            _ => true,
        };
    }
}
