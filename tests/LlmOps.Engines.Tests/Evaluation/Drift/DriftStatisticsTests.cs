using LlmOps.Engines.Evaluation.Drift;

namespace LlmOps.Engines.Tests.Evaluation.Drift;

public sealed class DriftStatisticsTests
{
    /// <summary>Box and Muller.</summary>
    private static double[] Normals(int seed, int count, double mean = 0, double deviation = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => mean + deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
    }

    [Fact]
    public void TheIndex_IsThatOfTheFormula()
    {
        // (0.2 − 0.1) ln 2 + 0 + 0 + (0.3 − 0.4) ln 0.75 = 0.069315 + 0.028768
        Assert.Equal(0.098083, PopulationStability.Of([10, 20, 30, 40], [20, 20, 30, 30]), 6);
        Assert.Equal(0, PopulationStability.Of([10, 20, 30, 40], [20, 40, 60, 80]), 12);
        // the empty bin counts half an item: (0.05 − 0.5) ln 0.1 + (0.95 … 1 − 0.5) ln 2
        Assert.Equal((0.05 - 0.5) * Math.Log(0.1) + (1 - 0.5) * Math.Log(2), PopulationStability.Of([5, 5], [0, 10]), 12);
    }

    [Fact]
    public void Bins_HoldTheSameNumberOfItems_AndEqualValuesStayTogether()
    {
        var edges = PopulationStability.Edges([.. Enumerable.Range(1, 100).Select(i => (double)i)], 4);
        Assert.Equal([25, 50, 75], edges);
        Assert.Equal([25, 25, 25, 25], PopulationStability.Count([.. Enumerable.Range(1, 100).Select(i => (double)i)], edges));
        Assert.Equal([1.0], PopulationStability.Edges([1, 1, 1, 1, 1, 1, 1, 1, 2, 3], 4));
        Assert.Empty(PopulationStability.Edges([7, 7, 7]));
        Assert.Equal([2, 3], PopulationStability.Count([0, 1, 1.5, 2, 9], [1]));
    }

    [Fact]
    public void TheLargestDistance_IsThatOfTheStaircases()
    {
        Assert.Equal(1.0 / 3, KolmogorovSmirnov.Statistic([1, 2, 3], [2, 3, 4]), 12);
        Assert.Equal(1, KolmogorovSmirnov.Statistic([1, 2], [3, 4, 5]), 12);
        Assert.Equal(0, KolmogorovSmirnov.Statistic([1, 1, 2, 2], [2, 1]), 12);
        // at 5 three of four against one of five
        Assert.Equal(0.55, KolmogorovSmirnov.Statistic([1, 3, 5, 9], [5, 6, 7, 8, 10]), 12);
    }

    /// <summary>Kolmogorov's critical values: λ = 1.2238, 1.3581, 1.6276 for 10 %, 5 % and 1 %.</summary>
    [Theory]
    [InlineData(1.22385, 0.10)]
    [InlineData(1.35810, 0.05)]
    [InlineData(1.62762, 0.01)]
    public void TheP_IsKolmogorovs(double lambda, double p) => Assert.Equal(p, KolmogorovSmirnov.PValue(lambda / (10 + 0.12 + 0.011), 200, 200), 4);

    [Fact]
    public void TheKernelDistance_OfTwoPoints_IsThatOfTheFormula()
    {
        // within each set the kernel is 1, between them e^(−1) with the median squared distance 1 as its width; 2 of the 6 ways to split are as far apart
        var result = KernelTwoSampleTest.Test([[0], [0]], [[1], [1]], permutations: 3000, seed: 5);
        Assert.Equal(1, result.Bandwidth, 12);
        Assert.Equal(2 - 2 / Math.E, result.SquaredDistance, 6);
        Assert.Equal(1.0 / 3, result.PValue, 0.03);
    }

    [Fact]
    public void TheKernelDistance_AgreesWithItsContributions()
    {
        float[][] a = [.. Normals(1, 24).Chunk(2).Select(v => v.Select(x => (float)x).ToArray())], b = [.. Normals(2, 20, 0.7).Chunk(2).Select(v => v.Select(x => (float)x).ToArray())];
        var result = KernelTwoSampleTest.Test(a, b, permutations: 99);
        Assert.Equal(LlmOps.Engines.SmallModels.KernelDistance.Contributions(a, b, result.Bandwidth).Average(), result.SquaredDistance, 5);
    }

    [Fact]
    public void WhatDidNotMove_IsRarelySaidToHave_AndWhatMoved_IsFound()
    {
        int psi = 0, ks = 0, mmd = 0;
        for (var seed = 0; seed < 60; seed++)
        {
            double[] a = Normals(2 * seed, 60), b = Normals(2 * seed + 1, 60);
            psi += PopulationStability.Interval(a, b, confidence: 0.9, resamples: 200, seed: seed).Low > 0.1 ? 1 : 0;
            ks += KolmogorovSmirnov.Test(a, b, 0.9, 200, seed) is { Low: > 0.1, PValue: < 0.05 } ? 1 : 0;
            mmd += KernelTwoSampleTest.Test([.. a.Select(x => new[] { (float)x })], [.. b.Select(x => new[] { (float)x })], permutations: 99, seed: seed).PValue <= 0.05 ? 1 : 0;
        }
        // 60 tries at 5 %: 3 expected, 8 or more once in a hundred times
        Assert.InRange(psi, 0, 7);
        Assert.InRange(ks, 0, 7);
        Assert.InRange(mmd, 0, 7);
        double[] before = Normals(900, 300), after = Normals(901, 300, mean: 1);
        Assert.True(PopulationStability.Interval(before, after).Low > 0.25);
        // the distributions of N(0,1) and N(1,1) are 2Φ(½) − 1 = 0.3829 apart
        var moved = KolmogorovSmirnov.Test(before, after);
        Assert.InRange(0.3829, moved.Low, moved.High);
        Assert.True(moved.PValue < 1e-6);
        var far = KernelTwoSampleTest.Test([.. before.Select(x => new[] { (float)x })], [.. after.Select(x => new[] { (float)x })], permutations: 199);
        Assert.Equal(1.0 / 200, far.PValue, 12);
        Assert.True(far.Low > 0);
    }

    [Fact]
    public void TheSameSeed_GivesTheSameNumbers()
    {
        double[] a = Normals(3, 50), b = Normals(4, 40);
        Assert.Equal(KolmogorovSmirnov.Test(a, b, seed: 7), KolmogorovSmirnov.Test(a, b, seed: 7));
        Assert.Equal(PopulationStability.Interval(a, b, seed: 7), PopulationStability.Interval(a, b, seed: 7));
        Assert.NotEqual(PopulationStability.Interval(a, b, seed: 7), PopulationStability.Interval(a, b, seed: 8));
    }

    [Fact]
    public void WhatCannotBeCompared_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => PopulationStability.Of([1], [1, 2]));
        Assert.Throws<ArgumentException>(() => PopulationStability.Edges([double.NaN]));
        Assert.Throws<ArgumentException>(() => KolmogorovSmirnov.Statistic([], [1]));
        Assert.Throws<ArgumentException>(() => KernelTwoSampleTest.Test([[1]], [[1], [2]]));
        Assert.Throws<ArgumentException>(() => KernelTwoSampleTest.Test([[1], [2, 3]], [[1], [2]]));
    }
}
