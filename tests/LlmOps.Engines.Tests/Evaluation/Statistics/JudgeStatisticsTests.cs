using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Engines.Tests.Evaluation.Statistics;

public sealed class JudgeStatisticsTests
{
    private static Kappa Counts(int both, int first, int second, int neither)
    {
        int[] Repeat(int a, int b, int c, int d) => [.. Enumerable.Repeat(1, a), .. Enumerable.Repeat(1, b), .. Enumerable.Repeat(0, c), .. Enumerable.Repeat(0, d)];
        var rows = Repeat(both, first, second, neither);
        int[] columns = [.. Enumerable.Repeat(1, both), .. Enumerable.Repeat(0, first), .. Enumerable.Repeat(1, second), .. Enumerable.Repeat(0, neither)];
        return Kappa.Of(rows, columns, 2);
    }

    // The usual example of 50 grant proposals: 20 both yes, 15 both no, 5 and 10 apart: κ = 0.4.
    [Fact]
    public void Kappa_MatchesTheGrantExample()
    {
        var kappa = Counts(20, 5, 10, 15);
        Assert.Equal(0.4, kappa.Value!.Value, 12);
        Assert.Equal((0.7, 0.5), (kappa.Observed, kappa.Expected));
        Assert.InRange(kappa.Low, 0.14, 0.17);
        Assert.InRange(kappa.High, 0.63, 0.66);
        Assert.Equal([[15, 10], [5, 20]], kappa.Confusion);
    }

    [Fact]
    public void Kappa_HasNoValueWhenThereIsOneWordOnly() => Assert.Null(Kappa.Of([1, 1, 1], [1, 1, 1], 2).Value);

    // A judge with sensitivity 0.9 and specificity 0.8 that says yes to 55 % is looking at a true rate of 50 %.
    [Fact]
    public void RoganGladen_UndoesTheJudgesErrors()
    {
        var corrected = RoganGladen.Correct(550, 1000, 90, 100, 80, 100)!;
        Assert.Equal(0.5, corrected.Value, 12);
        Assert.InRange(corrected.High - corrected.Low, 0.12, 0.2);
        Assert.Null(RoganGladen.Correct(550, 1000, 50, 100, 50, 100));
    }

    // Two players, 3 wins to 1 (with half a win each way against the virtual player): the ratio solves the likelihood by symmetry, so ratings mirror around 1000.
    [Fact]
    public void BradleyTerry_MirrorsTwoPlayersAndOrdersThree()
    {
        Duel[] duels = [new(0, 1, 1), new(0, 1, 1), new(0, 1, 1), new(0, 1, 0)];
        var two = BradleyTerry.Ratings(2, duels);
        Assert.Equal(2000, two.Sum(), 1e-6);
        Assert.True(two[0] > two[1]);
        var three = BradleyTerry.Ratings(3, [.. duels, new(1, 2, 1), new(1, 2, 1), new(0, 2, 1)]);
        Assert.True(three[0] > three[1] && three[1] > three[2]);
        // whatever order the comparisons come in
        Assert.Equal(three, BradleyTerry.Ratings(3, [new(0, 2, 1), new(1, 2, 1), new(1, 2, 1), .. duels.Reverse()]).Select((r, i) => Math.Abs(r - three[i]) < 1e-6 ? three[i] : r));
    }

    // The estimate is where each player's wins are what the strengths expect, the half win and half loss against strength 1 included.
    [Fact]
    public void BradleyTerry_SolvesTheLikelihood()
    {
        Duel[] duels = [new(0, 1, 1), new(0, 2, 1), new(0, 1, 1), new(1, 2, 1), new(2, 1, 1), new(3, 2, 0.5), new(0, 3, 1)];
        var relative = BradleyTerry.Ratings(4, duels).Select(r => Math.Pow(10, (r - 1000) / 400)).ToArray();
        double Surplus(int player, double scale)
        {
            var p = relative.Select(r => r * scale).ToArray();
            return duels.Where(d => d.First == player || d.Second == player).Sum(d => (d.First == player ? d.Score : 1 - d.Score) - p[player] / (p[d.First] + p[d.Second])) + 0.5 - p[player] / (p[player] + 1);
        }
        // One number, the scale, has to fit all four.
        double low = 1e-3, high = 1e3;
        for (var i = 0; i < 100; i++)
        {
            var middle = Math.Sqrt(low * high);
            if (Surplus(0, middle) > 0)
                low = middle;
            else
                high = middle;
        }
        Assert.All(Enumerable.Range(0, 4), player => Assert.Equal(0, Surplus(player, low), 1e-6));
    }

    [Fact]
    public void BradleyTerry_HasWiderIntervalsForFewerPrompts()
    {
        IReadOnlyList<Duel>[] Prompts(int n) => [.. Enumerable.Range(0, n).Select(i => (IReadOnlyList<Duel>)[new Duel(0, 1, i % 3 == 0 ? 0 : 1)])];
        var few = BradleyTerry.Intervals(2, Prompts(12), 300)[0];
        var many = BradleyTerry.Intervals(2, Prompts(300), 300)[0];
        Assert.True(few.High - few.Low > 2 * (many.High - many.Low));
    }

    [Fact]
    public void OrderBias_FindsAJudgeThatPrefersTheFirst()
    {
        var biased = OrderBias.Of([.. Enumerable.Range(0, 100).Select(i => i < 60 ? new BothOrders(1, 0, 10) : new BothOrders(1, 1, 10))]);
        Assert.Equal(0.8, biased.FirstWins!.Value, 12);
        Assert.Equal(0.4, biased.Consistency, 12);
        Assert.True(biased.IsBiased);
        Assert.Equal(0.7, biased.WinRate.Value, 12);
        Assert.Equal(1, biased.LongerWins!.Value);
        var fair = OrderBias.Of([.. Enumerable.Range(0, 100).Select(i => new BothOrders(i % 2, i % 2, i % 4 - 1.5))]);
        Assert.False(fair.IsBiased);
        Assert.Equal(1, fair.Consistency);
    }
}
