using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Tests.Evaluation;

public sealed class IntervalTests
{
    // Brown, Cai and DasGupta 2001 give (0, 0.2775) for 0 of 10 and (0.2366, 0.7634) for 5 of 10.
    [Theory]
    [InlineData(0, 10, 0, 0.277533)]
    [InlineData(5, 10, 0.236593, 0.763407)]
    [InlineData(9, 10, 0.595850, 0.982124)]
    [InlineData(10, 10, 0.722467, 1)]
    [InlineData(50, 100, 0.403832, 0.596168)]
    public void Wilson_GivesThePublishedIntervals(int successes, int n, double low, double high)
    {
        var estimate = Wilson.Interval(successes, n);

        Assert.Equal(successes / (double)n, estimate.Value);
        Assert.Equal(low, estimate.Low, 5e-6);
        Assert.Equal(high, estimate.High, 5e-6);
        Assert.Equal(n, estimate.N);
    }

    [Fact]
    public void Wilson_RefusesImpossibleCounts()
    {
        Assert.Throws<ArgumentException>(() => Wilson.Interval(0, 0));
        Assert.Equal("3 successes of 2 items is no proportion.", Assert.Throws<ArgumentException>(() => Wilson.Interval(3, 2)).Message);
    }

    // By hand: b=1, c=9: 2·(1+10)/1024 − 10/1024 = 12/1024. The last by exact rational arithmetic.
    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(3, 3, 1)]
    [InlineData(1, 0, 0.5)]
    [InlineData(1, 9, 12 / 1024.0)]
    [InlineData(0, 6, 1 / 64.0)]
    [InlineData(5, 2, 0.2890625)]
    [InlineData(10, 25, 0.011330984)]
    public void MidP_GivesTheNumbersWorkedByHand(int b, int c, double p)
    {
        Assert.Equal(p, McNemar.MidP(b, c), 1e-8);
        Assert.Equal(p, McNemar.MidP(c, b), 1e-8);
    }

    [Fact]
    public void MidP_StaysExact_ForManyItems() => Assert.Equal(0.005543558709501, McNemar.MidP(600, 700), 1e-12);

    [Fact]
    public void Mean_AgreesWithTheNormalInterval_OnManyItems()
    {
        var random = new Random(1);
        var x = Enumerable.Range(0, 1000).Select(_ => random.NextDouble()).ToArray();

        var estimate = Bootstrap.Mean(x);

        var (mean, halfWidth) = (x.Average(), 1.96 * Math.Sqrt(x.Sum(v => Math.Pow(v - x.Average(), 2)) / 999 / 1000));
        Assert.Equal(mean, estimate.Value, 1e-12);
        Assert.Equal(mean - halfWidth, estimate.Low, 0.0012);
        Assert.Equal(mean + halfWidth, estimate.High, 0.0012);
        Assert.Equal(estimate, Bootstrap.Mean(x));
    }

    // 400 samples of 20 skewed items each: a 95 % interval should hold the true mean about 380 times.
    [Fact]
    public void Mean_HoldsTheTruth_OnSmallSkewedSamples()
    {
        var random = new Random(2);
        var held = 0;
        for (var round = 0; round < 400; round++)
        {
            var estimate = Bootstrap.Mean([.. Enumerable.Range(0, 20).Select(_ => -Math.Log(1 - random.NextDouble()))], 1000, round);
            held += estimate.Low <= 1 && 1 <= estimate.High ? 1 : 0;
        }

        Assert.InRange(held, 352, 396);
    }

    [Fact]
    public void Mean_CorrectsForSkew_OnFewItems()
    {
        var estimate = Bootstrap.Mean([0, 0, 0, 0, 0, 0, 0, 0, 0, 10]);

        Assert.Equal(1, estimate.Value);
        Assert.Equal(0, estimate.Low);
        // Plain percentiles end at 3.
        Assert.True(estimate.High > 3, $"{estimate}");
    }

    [Fact]
    public void Ratio_WeighsItemsByTheirDenominator()
    {
        var estimate = Bootstrap.Ratio([2, 30], [1, 10]);

        Assert.Equal(32 / 11.0, estimate.Value, 1e-12);
        Assert.InRange(estimate.Low, 2, estimate.Value);
        Assert.InRange(estimate.High, estimate.Value, 3);
    }

    [Fact]
    public void PairedDifference_IsNarrow_WhenItemsAreHardForBoth()
    {
        var random = new Random(4);
        var hard = Enumerable.Range(0, 200).Select(_ => random.NextDouble() * 100).ToArray();
        double[] a = [.. hard.Select(h => h + 1 + random.NextDouble() * 0.1)];

        var estimate = Bootstrap.PairedDifference(a, hard);

        Assert.InRange(estimate.Low, 1.03, 1.06);
        Assert.InRange(estimate.High, estimate.Low, 1.07);
        Assert.True(Bootstrap.Mean(a).High - Bootstrap.Mean(a).Low > 5);
    }

    [Fact]
    public void PairedRatioDifference_IsZero_ForTheSameModel()
    {
        double[] num = [3, 5, 8, 1], den = [2, 2, 4, 1];

        Assert.Equal(new Estimate(0, 0, 0, 4), Bootstrap.PairedRatioDifference(num, den, num, den));
        Assert.Equal(17 / 9.0 - 8.5 / 9, Bootstrap.PairedRatioDifference(num, den, [1.5, 2.5, 4, 0.5], den).Value, 1e-12);
    }

    [Fact]
    public void Median_IgnoresOneOutlier()
    {
        var estimate = Bootstrap.Median([1, 2, 3, 4, 1000]);

        Assert.Equal(3, estimate.Value);
        Assert.Equal(2.5, Bootstrap.Median([1, 2, 3, 4]).Value);
        Assert.InRange(estimate.Low, 1, 2);
    }

    [Fact]
    public void Intervals_AreThePoint_WhenNothingVaries()
    {
        Assert.Equal(new Estimate(2, 2, 2, 3), Bootstrap.Mean([2, 2, 2]));
        Assert.Equal(new Estimate(7, 7, 7, 1), Bootstrap.Mean([7]));
        Assert.Equal(new Estimate(7, 7, 7, 1), Bootstrap.Median([7]));
    }

    [Fact]
    public void Bootstrap_RefusesWhatHasNoInterval()
    {
        Assert.Equal("There is no item to resample.", Assert.Throws<ArgumentException>(() => Bootstrap.Mean([])).Message);
        Assert.Equal("A value is not a finite number.", Assert.Throws<ArgumentException>(() => Bootstrap.Mean([1, double.NaN])).Message);
        Assert.Equal("Every denominator must be positive.", Assert.Throws<ArgumentException>(() => Bootstrap.Ratio([1, 1], [1, 0])).Message);
        Assert.Equal("The columns have different numbers of items: 2, 1.", Assert.Throws<ArgumentException>(() => Bootstrap.PairedDifference([1, 2], [1])).Message);
    }
}
