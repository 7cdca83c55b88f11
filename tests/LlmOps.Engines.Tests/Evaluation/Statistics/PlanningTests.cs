using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Engines.Tests.Evaluation.Statistics;

public sealed class PlanningTests
{
    // Holm (1979) as every textbook works it out: 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02.
    [Fact]
    public void Holm_MatchesTheWorkedExample() =>
        Assert.Equal([0.03, 0.06, 0.06, 0.02], Holm.Adjust([0.01, 0.04, 0.03, 0.005]).Select(p => Math.Round(p, 12)));

    // Benjamini and Hochberg (1995), section 3.2: of the 15 p-values of a trial exactly 4 are rejected at 0.05; Holm rejects 3.
    [Fact]
    public void FalseDiscovery_RejectsFourOfTheThrombolysisTrial()
    {
        double[] p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0];
        Assert.Equal(4, FalseDiscovery.Adjust(p).Count(q => q <= 0.05));
        Assert.Equal(3, Holm.Adjust(p).Count(q => q <= 0.05));
    }

    // Lan and DeMets (1983) / Jennison and Turnbull (2000): five equal looks, one-sided 0.025. O'Brien–Fleming-type bounds 4.877, 3.357, 2.680, 2.290, 2.031;
    // Pocock-type bounds 2.438, 2.427, 2.410, 2.397, 2.386.
    [Theory]
    [InlineData(SpendingShape.OBrienFleming, 4.877, 3.357, 2.680, 2.290, 2.031)]
    [InlineData(SpendingShape.Pocock, 2.438, 2.427, 2.410, 2.397, 2.386)]
    public void AlphaSpending_MatchesPublishedBounds(SpendingShape shape, params double[] bounds)
    {
        var levels = AlphaSpending.NominalLevels(5, 0.025, shape);
        Assert.All(levels.Zip(bounds), pair => Assert.Equal(pair.Second, -NormalLaw.Quantile(pair.First), 0.003));
    }

    [Fact]
    public void AlphaSpending_OfOneLookIsAlpha() => Assert.Equal(0.05, AlphaSpending.NominalLevels(1, 0.05)[0], 1e-6);

    // z(0.05) + z(0.2) = 1.6449 + 0.8416: with sd = 1 and effect 0.1 that is 618.3, so 619.
    [Fact]
    public void Power_GoesBothWays()
    {
        Assert.Equal(619, Power.RowsNeeded(1, 0.1));
        Assert.Equal(0.1, Power.MinimumDetectableEffect(1, 619), 0.0001);
        Assert.Equal(0.8, Power.Of(0.1, 1, 619), 0.001);
        Assert.Equal(0.05, Power.Of(0, 1, 100), 1e-6);
        Assert.Equal(Math.Sqrt(0.2), Power.DiscordanceSd(0.1, 0.1), 12);
    }

    [Fact]
    public void NoiseFloor_SeesWhatRepeatsDo()
    {
        var floor = NoiseFloor.Of([[1, 0, 1, 1], [1, 1, 1, 1], [1, 0, 1, 0]]);
        Assert.Equal(0.75, floor.Mean, 12);
        Assert.Equal(0.25, floor.Sd, 12);
        Assert.Equal(0.5, floor.FlippedShare);
        Assert.Throws<ArgumentException>(() => NoiseFloor.Of([[1.0]]));
    }

    // The usual table of Student's t at 97.5 %.
    [Theory]
    [InlineData(1, 12.706)]
    [InlineData(2, 4.303)]
    [InlineData(3, 3.182)]
    [InlineData(4, 2.776)]
    [InlineData(9, 2.262)]
    [InlineData(30, 2.042)]
    public void StudentT_MatchesTheTable(int freedom, double value)
    {
        Assert.Equal(value, StudentT.Quantile(0.975, freedom), 0.0005);
        Assert.Equal(-value, StudentT.Quantile(0.025, freedom), 0.0005);
    }

    // Two more runs of the same model differ by less than the floor in 95 of 100 cases, however few repeats it was read from.
    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void NoiseFloor_KeepsItsPromise(int repeats)
    {
        var random = new Random(repeats);
        double Run() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        var held = Enumerable.Range(0, 4000).Count(_ => Math.Abs(Run() - Run()) <= NoiseFloor.Of([.. Enumerable.Range(0, repeats).Select(_ => new[] { Run() })]).DifferenceFloor);
        Assert.InRange(held / 4000.0, 0.94, 0.96);
    }

    [Theory]
    [InlineData(-0.005, 0.01, NonInferiorityVerdict.Pass)]
    [InlineData(-0.05, -0.02, NonInferiorityVerdict.Fail)]
    [InlineData(-0.05, 0.02, NonInferiorityVerdict.CannotTell)]
    public void NonInferiority_ReadsTheWholeInterval(double low, double high, NonInferiorityVerdict verdict) => Assert.Equal(verdict, NonInferiority.Judge(low, high, 0.01));
}
