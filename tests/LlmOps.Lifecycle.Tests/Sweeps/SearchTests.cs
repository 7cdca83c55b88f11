using System.Globalization;
using LlmOps.Lifecycle.Sweeps.Search;

namespace LlmOps.Lifecycle.Tests.Sweeps;

public sealed class SearchTests
{
    private static readonly SearchSpace Mixed = new([new ChoiceDimension("method", ["lora", "full"]), new IntDimension("epochs", 1, 5, 2), new LogDimension("learning_rate", 1e-4, 1e-2, 3)]);

    private static SweepPlan Plan(string method, SearchSpace space, int trials, int parallel = 1, bool minimise = true) => new(space, method, minimise, trials, parallel, 7, new("max_steps", 10, 3, 3), new());

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    [Fact]
    public void Grid_TriesEveryPointOnce_TheLastParameterFirst()
    {
        Assert.Equal(18, Mixed.GridSize());
        var points = Enumerable.Range(0, 18).Select(i => string.Join(' ', Mixed.GridPoint(i))).ToList();
        Assert.Equal(["lora 1 0.0001", "lora 1 0.001", "lora 1 0.01", "lora 3 0.0001", "lora 3 0.001", "lora 3 0.01", "lora 5 0.0001", "lora 5 0.001", "lora 5 0.01"], points.Take(9));
        Assert.Equal(points.Take(9).Select(p => p.Replace("lora", "full", StringComparison.Ordinal)), points.Skip(9));
    }

    [Fact]
    public void Grid_CountsOnlyDifferentValues_WhenAWholeRangeIsShort() =>
        Assert.Equal(["1", "2", "3", "4"], new LogDimension("rank", 1, 4, 7, Whole: true).Grid());

    [Fact]
    public void Random_IsTheSame_ForTheSameSeedAndTrial_AndOtherwiseNot()
    {
        var first = RandomSearch.Draw(Mixed, [], 1, 4);
        Assert.Equal(first, RandomSearch.Draw(Mixed, [], 1, 4));
        Assert.NotEqual(first[2], RandomSearch.Draw(Mixed, [], 1, 5)[2]);
        Assert.NotEqual(first[2], RandomSearch.Draw(Mixed, [], 2, 4)[2]);
    }

    [Fact]
    public void Random_DrawsEachDecadeOfALogarithmicRange_AlikeOften_AndStaysInside()
    {
        var space = new SearchSpace([new LogDimension("lr", 1e-5, 1e-2), new IntDimension("n", 2, 4), new FloatDimension("x", -1, 1)]);
        var points = Enumerable.Range(0, 3000).Select(i => RandomSearch.Draw(space, [], 3, i)).ToList();
        foreach (var decade in new[] { 1e-5, 1e-4, 1e-3 })
            Assert.InRange(points.Count(p => Number(p[0]) >= decade && Number(p[0]) < decade * 10), 900, 1100);     // 1000 ± 4 standard deviations
        foreach (var n in new[] { "2", "3", "4" })
            Assert.InRange(points.Count(p => p[1] == n), 900, 1100);
        Assert.All(points, p => Assert.InRange(Number(p[2]), -1, 1));
    }

    [Fact]
    public void Random_NeverRepeatsAPoint_AsLongAsOneIsLeft()
    {
        var space = new SearchSpace([new ChoiceDimension("a", ["x", "y"]), new IntDimension("n", 1, 6)]);
        var trials = new List<IReadOnlyList<string>>();
        for (var i = 0; i < 12; i++)
            trials.Add(RandomSearch.Draw(space, trials, 1, i));
        Assert.Equal(12, trials.Select(t => string.Join(' ', t)).Distinct().Count());
    }

    [Fact]
    public void Halving_PromotesTheBestThird_AndNeverWhatFailed()
    {
        // 9 trials, eta 3: three go on. Trial 2 failed, 5 is no number, 7 is infinite; 4 and 8 are alike and the earlier one goes on.
        RungTrial[] rung = [new(1, 0.9), new(2, null), new(3, 0.2), new(4, 0.5), new(5, double.NaN), new(6, 0.1), new(7, double.NegativeInfinity), new(8, 0.5), new(9, 0.8)];
        Assert.Equal([6, 3, 4], SuccessiveHalving.Promoted(rung, 3, minimise: true));
        Assert.Equal([1, 9, 4], SuccessiveHalving.Promoted(rung, 3, minimise: false));
        Assert.Equal([6, 3], SuccessiveHalving.Promoted(rung, 4, minimise: true));
        Assert.Equal([1], SuccessiveHalving.Promoted([new(1, 0.5), new(2, null), new(3, null), new(4, double.NaN)], 2, minimise: true));
        Assert.Empty(SuccessiveHalving.Promoted([new(1, 0.5), new(2, 0.4)], 3, minimise: true));
    }

    [Fact]
    public void Halving_HasRungsThatShrink_AndBudgetsThatGrow()
    {
        Assert.Equal([27, 9, 3, 1], SuccessiveHalving.Sizes(27, new("max_steps", 10, 3, 4)));
        Assert.Equal([27, 9], SuccessiveHalving.Sizes(27, new("max_steps", 10, 3, 2)));
        Assert.Equal([5, 2, 1], SuccessiveHalving.Sizes(5, new("max_steps", 10, 2, 9)));
        Assert.Equal([10, 30, 90], Enumerable.Range(0, 3).Select(r => SuccessiveHalving.BudgetOf(new("max_steps", 10, 3, 3), r)));
        Assert.Equal(13, Plan(SweepMethods.Halving, Mixed, 9).Runs());
    }

    [Fact]
    public void Halving_WaitsForTheWholeRung_ThenGoesOnWithTheBest_AtMoreBudget()
    {
        var plan = Plan(SweepMethods.Halving, Mixed, 9, parallel: 2);
        var trials = new List<TrialRecord>();
        double[] values = [5, 3, 9, 1, 8, 2, 7, 6, 4];
        for (var i = 0; i < 9; i++)
        {
            var next = NextTrial.Of(plan, trials).Next!;
            Assert.Equal((i + 1, 0, 10L), (next.Number, next.Rung, next.Budget!.Value));
            trials.Add(new(Guid.CreateVersion7(), next.Number, 0, null, next.Point, i < 8, i < 8 ? values[i] : null));
        }
        Assert.Equal(new NextTrial.Answer(null, false), NextTrial.Of(plan, trials));     // the ninth still runs
        trials[8] = trials[8] with { IsOver = true, Value = values[8] };
        foreach (var from in new[] { 4, 6, 2 })
        {
            var next = NextTrial.Of(plan, trials).Next!;
            Assert.Equal((1, trials[from - 1].Id, 30L), (next.Rung, next.PromotedFromId!.Value, next.Budget!.Value));
            Assert.Equal(trials[from - 1].Point, next.Point);
            trials.Add(new(Guid.CreateVersion7(), next.Number, 1, next.PromotedFromId, next.Point, true, from == 4 ? null : from));
        }
        // The best of the first rung failed in the second: the next best there goes on.
        var last = NextTrial.Of(plan, trials).Next!;
        Assert.Equal((2, trials.Single(t => t.Rung == 1 && t.Value == 2).Id, 90L), (last.Rung, last.PromotedFromId!.Value, last.Budget!.Value));
        trials.Add(new(Guid.CreateVersion7(), 13, 2, last.PromotedFromId, last.Point, true, 1));
        Assert.Equal(new NextTrial.Answer(null, true), NextTrial.Of(plan, trials));
    }

    [Fact]
    public void NextTrial_KeepsToTheParallelLimit_AndEnds()
    {
        var plan = Plan(SweepMethods.Grid, Mixed, 100, parallel: 2);
        TrialRecord Trial(int number, bool over) => new(Guid.CreateVersion7(), number, 0, null, Mixed.GridPoint(number - 1), over, over ? 1 : null);
        Assert.Equal(2, NextTrial.Of(plan, [Trial(1, false)]).Next!.Number);
        Assert.Equal(new NextTrial.Answer(null, false), NextTrial.Of(plan, [Trial(1, false), Trial(2, false)]));
        Assert.Equal(new NextTrial.Answer(null, true), NextTrial.Of(plan, [.. Enumerable.Range(1, 18).Select(n => Trial(n, true))]));
        Assert.Equal(new NextTrial.Answer(null, false), NextTrial.Of(plan, [.. Enumerable.Range(1, 18).Select(n => Trial(n, n != 3))]));
    }
}
