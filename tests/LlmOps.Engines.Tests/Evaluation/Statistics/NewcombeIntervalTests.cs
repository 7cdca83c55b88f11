using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Engines.Tests.Evaluation.Statistics;

public sealed class NewcombeIntervalTests
{
    // Table II of Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17 (1998), method 10.
    [Theory]
    [InlineData(56, 70, 48, 80, 0.2, 0.0524, 0.3339)]
    [InlineData(9, 10, 3, 10, 0.6, 0.1705, 0.8090)]
    [InlineData(6, 7, 2, 7, 0.5714, 0.0582, 0.8062)]
    [InlineData(5, 56, 0, 29, 0.0893, -0.0381, 0.1926)]
    [InlineData(0, 10, 0, 20, 0, -0.1611, 0.2775)]
    [InlineData(10, 10, 0, 10, 1, 0.6075, 1)]
    public void Intervals_AreThoseOfTheArticle(int a, int n, int b, int m, double difference, double low, double high)
    {
        var found = NewcombeInterval.Of(a, n, b, m);
        Assert.Equal((difference, low, high), (Math.Round(found.Difference, 4), Math.Round(found.Low, 4), Math.Round(found.High, 4)));
        var turned = NewcombeInterval.Of(b, m, a, n);
        Assert.Equal(-found.High, turned.Low, 1e-12);
    }

    [Fact]
    public void WhatIsNoComparison_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => NewcombeInterval.Of(1, 0, 1, 2));
        Assert.Throws<ArgumentException>(() => NewcombeInterval.Of(3, 2, 1, 2));
        Assert.Throws<ArgumentException>(() => NewcombeInterval.Of(1, 2, 1, 2, 0.5));
    }
}
