using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Quantization.Search;

namespace LlmOps.Engines.Tests.Quantization;

public sealed class ParetoFrontTests
{
    [Fact]
    public void Of_KeepsWhatNothingElseBeatsInEveryRespect()
    {
        Measure[][] points = [Exact(1, 9), Exact(5, 5), Exact(9, 1), Exact(6, 6), Exact(5, 7)];

        Assert.Equal([true, true, true, false, false], ParetoFront.Of(points));
    }

    [Fact]
    public void Dominates_NeedsADifferenceThatExceedsTheIntervals()
    {
        Measure[] small = [new(1, 0.8, 1.2), Measure.Exact(5)], clear = [new(2, 1.7, 2.3), Measure.Exact(5)], unclear = [new(1.3, 1.1, 1.5), Measure.Exact(5)];

        Assert.True(ParetoFront.Dominates(small, clear));
        Assert.False(ParetoFront.Dominates(small, unclear));
        Assert.Equal([true, false, true], ParetoFront.Of([small, clear, unclear]));
    }

    [Fact]
    public void Of_KeepsEqualPoints() => Assert.Equal([true, true], ParetoFront.Of([Exact(1, 2), Exact(1, 2)]));

    [Fact]
    public void Of_AlwaysKeepsOne()
    {
        var random = new Random(6);
        for (var round = 0; round < 200; round++)
        {
            var points = Enumerable.Range(0, 1 + random.Next(12)).Select(_ => Enumerable.Range(0, 3).Select(_ =>
            {
                double value = random.Next(5), width = random.NextDouble();
                return new Measure(value, value - width, value + width);
            }).ToArray()).ToArray();

            var front = ParetoFront.Of(points);

            Assert.Contains(true, front);
            foreach (var (i, on) in front.Index())
                Assert.Equal(on, !points.Any(other => ParetoFront.Dominates(other, points[i])));
        }
    }

    [Fact]
    public void More_TurnsANumberAround()
    {
        var fast = Measure.More(new Estimate(100, 90, 110, 3));
        var slow = Measure.More(new Estimate(50, 45, 55, 3));

        Assert.True(fast.IsClearlyBelow(slow));
        Assert.Equal((-100, -110, -90), (fast.Value, fast.Low, fast.High));
    }

    [Fact]
    public void Dominates_IsNeverSo_WhenANumberIsMissing()
    {
        Assert.False(ParetoFront.Dominates(Exact(1, 1), Exact(2, double.NaN)));
        Assert.False(ParetoFront.Dominates(Exact(1, double.NaN), Exact(2, 2)));
        Assert.Throws<ArgumentException>(() => ParetoFront.Dominates(Exact(1), Exact(1, 2)));
    }

    private static Measure[] Exact(params double[] values) => [.. values.Select(Measure.Exact)];
}
