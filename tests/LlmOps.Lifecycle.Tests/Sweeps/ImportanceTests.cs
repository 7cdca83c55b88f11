using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Sweeps.Search;

namespace LlmOps.Lifecycle.Tests.Sweeps;

public sealed class ImportanceTests
{
    private static readonly SearchSpace Space = new([new FloatDimension("x", 0, 10), new ChoiceDimension("optimizer", ["sgd", "adam"])]);

    private static IReadOnlyList<(IReadOnlyList<string>, double)> Trials(params (string X, string Optimizer, double Value)[] rows) => [.. rows.Select(r => ((IReadOnlyList<string>)[r.X, r.Optimizer], r.Value))];

    [Fact]
    public void Ranks_ShareTheMean_WhenValuesAreEqual() => Assert.Equal([2.5, 1, 4, 2.5], ParameterImportance.Ranks([5, 1, 9, 5]));

    [Fact]
    public void Importance_IsSpearmansCorrelation_AndTheCorrelationRatioOfRanks()
    {
        // Ranks of x 1…6 against ranks of the value 1 2 3 5 4 6: 1 - 6·2/(6·35) = 0.942857.
        // sgd has ranks 1 2 3, adam 5 4 6: between 2·3·1.5² = 13.5 of 17.5, root 0.878310.
        var found = ParameterImportance.Of(Space, Trials(("1", "sgd", 10), ("2", "sgd", 20), ("3", "sgd", 30), ("4", "adam", 50), ("5", "adam", 40), ("6", "adam", 60)), 1);
        Assert.Equal(["x", "optimizer"], found.Select(f => f.Name));
        Assert.Equal(0.942857, found[0].Correlation!.Value, 6);
        Assert.Equal(0.878310, found[1].Correlation!.Value, 6);
        Assert.Equal([true, false], found.Select(f => f.HasDirection));
        // Of 720 orders 12 are at least as strong (|ρ| ≥ 0.942857): 0.0167. Of 20 splits 2: 0.1.
        Assert.InRange(found[0].Chance!.Value, 0.008, 0.026);
        Assert.InRange(found[1].Chance!.Value, 0.08, 0.12);
        Assert.Equal((true, false), (found[0].IsClear, found[1].IsClear));
    }

    [Fact]
    public void Importance_SaysNothing_FromTooFewTrialsOrWithoutVariation()
    {
        var few = ParameterImportance.Of(Space, Trials(("1", "sgd", 1), ("2", "sgd", 2), ("3", "sgd", 3), ("4", "adam", 4), ("5", "adam", 5)), 1);
        Assert.All(few, f => Assert.Equal((null, 5, null), (f.Correlation, f.Trials, f.Chance)));
        var same = ParameterImportance.Of(Space, Trials([.. Enumerable.Range(0, 8).Select(i => ($"{i}", "sgd", 1.0))]), 1);
        Assert.All(same, f => Assert.Null(f.Correlation));
        Assert.All(ParameterImportance.Of(Space, [], 1), f => Assert.Equal(0, f.Trials));
    }

    [Fact]
    public void Best_IsLookedForInTheHighestRung_AndOfTwoAlikeTheEarlierIsTaken()
    {
        (int, int, TrialState, double?)[] trials = [(1, 0, TrialState.Succeeded, 0.1), (2, 0, TrialState.Succeeded, 0.5), (3, 1, TrialState.Succeeded, 0.4), (4, 1, TrialState.Succeeded, 0.4), (5, 2, TrialState.Failed, null), (6, 2, TrialState.Running, 0.01)];
        Assert.Equal(3, ReadSweeps.BestNumber(trials, minimise: true));
        Assert.Equal(2, ReadSweeps.BestNumber(trials[..2], minimise: false));
        Assert.Null(ReadSweeps.BestNumber(trials[4..], minimise: true));
    }
}
