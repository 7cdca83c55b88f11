using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Tracing.Drift;

namespace LlmOps.Lifecycle.Tests.Tracing;

public sealed class DriftRuleTests
{
    private static readonly DriftPolicy Policy = new();

    private static double[] Spread(int count, double from, double step) => [.. Enumerable.Range(0, count).Select(i => from + i * step)];

    private static DriftSample Sample(double[] lengths, int refusals = 0, IReadOnlyList<float[]>? embeddings = null) => new(lengths, lengths, lengths, refusals, lengths.Length, embeddings ?? []);

    [Fact]
    public void WhatMovedFar_IsToldWithItsNumbers()
    {
        var found = DriftRule.Compare(Policy, Sample(Spread(200, 1, 1)), Sample(Spread(200, 101, 1)));
        var ks = found.Single(m => m is { Name: "prompt-tokens", Method: "ks" });
        // 1…200 against 101…300: half of each lies outside of the other
        Assert.Equal(0.5, ks.Value, 12);
        Assert.Equal((100.5, 200.5), (ks.Baseline, ks.Window));
        Assert.Equal(Verdict.Fail, ks.Verdict);
        var psi = found.Single(m => m is { Name: "prompt-tokens", Method: "psi" });
        Assert.Equal<double?>([20, 40, 60, 80, 100, 120, 140, 160, 180, null], psi.Bins.Select(b => b.UpTo));
        Assert.Equal([0, 0, 0, 0, 0, 0.1, 0.1, 0.1, 0.1, 0.6], psi.Bins.Select(b => Math.Round(b.Window, 10)));
        // five bins lose their 0.1 (empty counts half an item of 200), the last grows from 0.1 to 0.6
        Assert.Equal(5 * (0.0025 - 0.1) * Math.Log(0.0025 / 0.1) + 0.5 * Math.Log(6), psi.Value, 10);
        var (verdict, words) = DriftRule.Judge(Policy, found, 200, 200);
        Assert.Equal(Verdict.Fail, verdict);
        Assert.StartsWith("Drifted by more than is tolerated: prompt length, median 200.5 against 100.5, stability index", words, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsTheSame_Passes_AndWhatIsFew_CannotTell()
    {
        var same = DriftRule.Compare(Policy with { RefusalThreshold = 0.05 }, Sample(Spread(1000, 1, 1)), Sample(Spread(1000, 1, 1)));
        Assert.Equal(7, same.Count);
        Assert.All(same, m => Assert.Equal(Verdict.Pass, m.Verdict));
        Assert.Equal(Verdict.Pass, DriftRule.Judge(Policy, same, 1000, 1000).Verdict);
        var few = DriftRule.Compare(Policy, Sample(Spread(60, 1, 1)), Sample(Spread(60, 1, 1)));
        Assert.DoesNotContain(few, m => m.Verdict == Verdict.Fail);
        Assert.Equal(Verdict.CannotTell, DriftRule.Judge(Policy, few, 60, 60).Verdict);
        Assert.Empty(DriftRule.Compare(Policy, Sample(Spread(49, 1, 1)), Sample(Spread(500, 1, 1))));
        Assert.Equal("Too few traces: 49 in the baseline and 500 in the window; at least 50 of each are compared.", DriftRule.Judge(Policy, [], 49, 500).Words);
    }

    [Theory]
    [InlineData(2, 60, Verdict.Fail)]
    [InlineData(60, 2, Verdict.Fail)]
    [InlineData(4, 5, Verdict.CannotTell)]
    public void Refusals_CountInBothDirections(int before, int after, Verdict expected)
    {
        var measure = DriftRule.Compare(Policy, Sample(Spread(200, 1, 1), before), Sample(Spread(200, 1, 1), after)).Single(m => m.Name == "refusals");
        Assert.Equal((after - before) / 200.0, measure.Value, 12);
        Assert.Equal(expected, measure.Verdict);
        Assert.Equal((before / 200.0, after / 200.0), (measure.Baseline, measure.Window));
    }

    [Fact]
    public void Questions_ThatMeanSomethingElse_AreFound()
    {
        var random = new Random(4);
        float[][] Cloud(float x, int count) => [.. Enumerable.Range(0, count).Select(_ => new[] { x + random.NextSingle(), random.NextSingle() })];
        var lengths = Spread(100, 1, 1);
        var moved = DriftRule.Compare(Policy, Sample(lengths, 0, Cloud(0, 100)), Sample(lengths, 0, Cloud(0.6f, 100))).Single(m => m.Name == "embeddings");
        Assert.Equal(Verdict.Fail, moved.Verdict);
        Assert.True(moved.PValue <= DriftRule.Level(Policy));
        Assert.NotEqual(Verdict.Fail, DriftRule.Compare(Policy, Sample(lengths, 0, Cloud(0, 100)), Sample(lengths, 0, Cloud(0, 100))).Single(m => m.Name == "embeddings").Verdict);
    }
}
