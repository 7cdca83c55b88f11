using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Engines.Tests.Evaluation.Statistics;

public sealed class QuantilesTests
{
    [Theory]
    // numpy.quantile([15, 20, 35, 40, 50], q) and R's quantile(type = 7)
    [InlineData(0, 15)]
    [InlineData(0.05, 16)]
    [InlineData(0.3, 23)]
    [InlineData(0.4, 29)]
    [InlineData(0.5, 35)]
    [InlineData(0.95, 48)]
    [InlineData(1, 50)]
    public void Of_IsType7(double level, double expected) => Assert.Equal(expected, Quantiles.Of([35, 15, 50, 20, 40], level), 12);

    [Fact]
    public void TheInterval_HoldsTheTruth_AsOftenAsItSays()
    {
        // 95th percentile of an exponential distribution: −ln 0.05.
        var (random, truth, hits) = (new Random(5), -Math.Log(0.05), 0);
        for (var trial = 0; trial < 300; trial++)
        {
            var interval = Quantiles.Interval([.. Enumerable.Range(0, 400).Select(_ => -Math.Log(1 - random.NextDouble()))], 0.95, 400, trial);
            if (interval.Low <= truth && truth <= interval.High)
                hits++;
        }
        // 300 trials at 95 %: sd 1.3 %, and percentiles of a tail lose a little.
        Assert.InRange(hits / 300.0, 0.90, 0.99);
    }

    [Fact]
    public void Compare_SeesATailThatTheMeanHardlySees_AndNoneWhereThereIsNone()
    {
        var random = new Random(9);
        double[] a = [.. Enumerable.Range(0, 300).Select(_ => 100 + random.NextDouble())];
        // Every tenth request of the second model takes twice as long.
        double[] b = [.. a.Select((v, i) => i % 10 == 0 ? 2 * v : v)];
        var tail = Quantiles.Compare(a, b, 0.95);
        Assert.True(tail.Low > 50 && tail.PValue < 0.001, $"{tail}");
        Assert.Equal((300, 30, 0, 270), (tail.N, tail.Improved, tail.Regressed, tail.Ties));
        Assert.Equal(0, Quantiles.Compare(a, b, 0.5).Effect, 0.2);
        double[] again = [.. a.Select(_ => 100 + random.NextDouble())];
        var same = Quantiles.Compare(a, again, 0.95);
        Assert.True(same.Low < 0 && same.High > 0 && same.PValue > 0.05, $"{same}");
        // The same data and seed give the same numbers.
        Assert.Equal(tail, Quantiles.Compare(a, b, 0.95));
    }

    [Fact]
    public void Clusters_AreDrawnAsOne()
    {
        double[] a = [.. Enumerable.Range(0, 100).Select(i => (double)(i / 25))], b = [.. a.Select(v => v + (v == 3 ? 1 : 0))];
        var alone = Quantiles.Compare(a, b, 0.9);
        var together = Quantiles.Compare(a, b, 0.9, new() { Clusters = [.. a.Select(v => $"{v}")] });
        Assert.True(together.High - together.Low >= alone.High - alone.Low && together.PValue > alone.PValue, $"{alone} {together}");
        Assert.EndsWith("over clusters", together.Test, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNoNumber_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => Quantiles.Of([], 0.5));
        Assert.Throws<ArgumentException>(() => Quantiles.Of([1, double.NaN], 0.5));
        Assert.Throws<ArgumentException>(() => Quantiles.Of([1], 1.5));
        Assert.Throws<ArgumentException>(() => Quantiles.Compare([1], [1, 2], 0.5));
    }
}
