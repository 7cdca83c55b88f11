namespace LlmOps.Lifecycle.Sweeps.Search;

/// <summary>The four ways to search; the names are those of the YAML.</summary>
public static class SweepMethods
{
    public const string Grid = "grid";
    public const string Random = "random";
    public const string Halving = "halving";
    public const string Tpe = "tpe";

    public static IReadOnlyList<string> All { get; } = [Grid, Random, Halving, Tpe];
}

/// <summary>All that decides which trials there are.</summary>
public sealed record SweepPlan(SearchSpace Space, string Method, bool Minimise, int MaxTrials, int Parallel, int Seed, HalvingOptions Halving, ParzenOptions Tpe)
{
    /// <summary>Runs when none fails.</summary>
    public long Runs() => Method switch
    {
        SweepMethods.Grid => Math.Min(Space.GridSize(), MaxTrials),
        SweepMethods.Halving => SuccessiveHalving.Sizes((int)Finite(), Halving).Sum(),
        _ => Finite(),
    };

    /// <summary>A space of choices may have fewer points than trials are allowed.</summary>
    private long Finite() => Space.Dimensions.All(d => d is ChoiceDimension or IntDimension) ? Math.Min(Space.GridSize(), MaxTrials) : MaxTrials;

    /// <summary>Trials of the first rung, or all trials where there are no rungs.</summary>
    public int First => (int)(Method == SweepMethods.Grid ? Runs() : Finite());
}

/// <summary>A trial as the rules see it.</summary>
/// <param name="Budget">Halving: the value of the budget in its rung.</param>
public sealed record PlannedTrial(int Number, int Rung, Guid? PromotedFromId, IReadOnlyList<string> Point, long? Budget);

/// <summary>A trial that exists.</summary>
public sealed record TrialRecord(Guid Id, int Number, int Rung, Guid? PromotedFromId, IReadOnlyList<string> Point, bool IsOver, double? Value);

/// <summary>Which trial comes next. It follows from the plan and the trials there are, so whoever asks, and however often, gets the same answer.</summary>
public static class NextTrial
{
    public sealed record Answer(PlannedTrial? Next, bool Finished);

    /// <summary>Trials are given in the order of their numbers. No next trial and not finished: something runs whose end has to be waited for.</summary>
    public static Answer Of(SweepPlan plan, IReadOnlyList<TrialRecord> trials)
    {
        var open = trials.Count(t => !t.IsOver);
        var next = plan.Method == SweepMethods.Halving ? Halving(plan, trials) : trials.Count < plan.First ? new PlannedTrial(trials.Count + 1, 0, null, Point(plan, trials), null) : null;
        return new(open < plan.Parallel ? next : null, next is null && open == 0);
    }

    private static IReadOnlyList<string> Point(SweepPlan plan, IReadOnlyList<TrialRecord> trials) => plan.Method switch
    {
        SweepMethods.Grid => plan.Space.GridPoint(trials.Count),
        SweepMethods.Tpe => ParzenSearch.Suggest(plan.Space, [.. trials.Select(t => new Observation(t.Point, t.Value))], plan.Minimise, plan.Seed, trials.Count, plan.Tpe),
        _ => RandomSearch.Draw(plan.Space, [.. trials.Select(t => t.Point)], plan.Seed, trials.Count),
    };

    private static PlannedTrial? Halving(SweepPlan plan, IReadOnlyList<TrialRecord> trials)
    {
        var rung = trials.Where(t => t.Rung == 0).ToList();
        if (rung.Count < plan.First)
            return new(trials.Count + 1, 0, null, Point(plan, rung), SuccessiveHalving.BudgetOf(plan.Halving, 0));
        for (var level = 1; level < plan.Halving.Rungs; level++)
        {
            if (rung.Any(t => !t.IsOver))
                return null;
            var above = trials.Where(t => t.Rung == level).ToList();
            foreach (var number in SuccessiveHalving.Promoted([.. rung.Select(t => new RungTrial(t.Number, t.Value))], plan.Halving.Eta, plan.Minimise))
            {
                var from = rung.Single(t => t.Number == number);
                if (above.All(t => t.PromotedFromId != from.Id))
                    return new(trials.Count + 1, level, from.Id, from.Point, SuccessiveHalving.BudgetOf(plan.Halving, level));
            }
            rung = above;
        }
        return null;
    }
}
