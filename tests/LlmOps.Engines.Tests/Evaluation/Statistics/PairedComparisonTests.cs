using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Evaluation.Statistics;

namespace LlmOps.Engines.Tests.Evaluation.Statistics;

public sealed class PairedComparisonTests
{
    private static double[] Normal(int n, int seed, double shift = 0)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, n).Select(_ => shift + Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
    }

    // Agresti, Categorical Data Analysis (2002), table 10.1: 794 approve both times, 150 only the first, 86 only the second, 570 neither.
    // The book's 95 % interval for the difference of 0.04 is (0.021, 0.059); with so many pairs the score interval is the same to these digits.
    [Fact]
    public void Proportions_MatchesApprovalRatingExample()
    {
        var (low, high) = TangoInterval.Of(150, 86, 1600);
        Assert.Equal(0.021, low, 0.001);
        Assert.Equal(0.059, high, 0.001);
    }

    [Fact]
    public void Tango_IsNotEmptyForNoDiscordance()
    {
        var (low, high) = TangoInterval.Of(0, 0, 50);
        // With no discordant pair the bounds are ± z² / (n + z²).
        var expected = 3.841458820694124 / (50 + 3.841458820694124);
        Assert.Equal(-expected, low, 1e-6);
        Assert.Equal(expected, high, 1e-6);
    }

    [Fact]
    public void Proportions_CountsFlipsBothWays()
    {
        double[] a = [1, 1, 1, 0, 0, 1, 0, 1, 1, 1], b = [1, 0, 1, 1, 1, 1, 1, 1, 1, 0];
        var result = PairedComparison.Proportions(a, b);
        Assert.Equal((0.1, 3, 2, 5), (Math.Round(result.Effect, 12), result.Improved, result.Regressed, result.Ties));
        Assert.Equal(McNemar.MidP(3, 2), result.PValue);
    }

    // Fisher's "Darwin's plants" (The Design of Experiments, 1935, section 21): 15 pairs, sum 314; of 32,768 sign patterns 863 reach +314, so 1,726 reach ±314.
    [Fact]
    public void SignFlip_MatchesFishersEnumeration()
    {
        double[] darwin = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48];
        Assert.Equal(1726 / 32768.0, SignFlip.PValue(darwin), 12);
    }

    [Fact]
    public void SignFlip_SampleAndLimitAgreeWithTheWhole()
    {
        var d = Normal(1500, 1, 0.06);
        var sampled = SignFlip.PValue(d, 100_000);
        var limit = 2 * NormalLaw.Cumulative(-Math.Abs(d.Sum()) / Math.Sqrt(d.Sum(x => x * x)));
        Assert.InRange(sampled, limit - 0.004, limit + 0.004);
    }

    // For a mean of many values the interval must be the textbook one, value ± 1.96 s/√n, by either way of resampling.
    [Theory]
    [InlineData(900)]
    [InlineData(5000)]
    [InlineData(100_001)]
    public void Means_GivesTheNormalIntervalForManyItems(int n)
    {
        var (a, b) = (Normal(n, 2), Normal(n, 3, 0.1));
        var d = b.Zip(a, (x, y) => x - y).ToArray();
        var half = 1.959964 * Math.Sqrt(d.Sum(x => Math.Pow(x - d.Average(), 2)) / n) / Math.Sqrt(n);
        var result = PairedComparison.Means(a, b);
        Assert.Equal(d.Average(), result.Effect, 1e-9);
        Assert.Equal(result.Effect - half, result.Low, half * 0.06);
        Assert.Equal(result.Effect + half, result.High, half * 0.06);
    }

    [Fact]
    public void Means_IsTheSameOnOneCoreAndOnMany()
    {
        var (a, b) = (Normal(3000, 4), Normal(3000, 5));
        var many = PairedComparison.Means(a, b);
        var pool = new Thread(() => Assert.Equal(many, PairedComparison.Means(a, b)));
        pool.Start();
        pool.Join();
        Assert.Equal(many, PairedComparison.Means(a, b));
        Assert.NotEqual(many.Low, PairedComparison.Means(a, b, new() { Seed = 1 }).Low);
    }

    // Ten copies of each difference carry no more knowledge than one.
    [Fact]
    public void Clusters_WidenTheIntervalByTheSquareRootOfTheirSize()
    {
        var sources = Normal(200, 6, 0.1);
        var d = sources.SelectMany(s => Enumerable.Repeat(s, 10)).ToArray();
        var names = Enumerable.Range(0, d.Length).Select(i => $"passage {i / 10}").ToArray();
        var apart = PairedComparison.Means(new double[d.Length], d);
        var clustered = PairedComparison.Means(new double[d.Length], d, new() { Clusters = names });
        Assert.InRange((clustered.High - clustered.Low) / (apart.High - apart.Low), Math.Sqrt(10) * 0.93, Math.Sqrt(10) * 1.07);
        Assert.Equal(apart.Effect, clustered.Effect, 1e-12);
        Assert.True(clustered.PValue > apart.PValue);
    }

    [Fact]
    public void Ratios_WeighLongRowsMore()
    {
        double[] bitsA = [100, 10], bytes = [100, 10], bitsB = [90, 12];
        var result = PairedComparison.Ratios(bitsA, bytes, bitsB, bytes);
        Assert.Equal(102 / 110.0 - 1, result.Effect, 1e-12);
        Assert.Equal((1, 1), (result.Improved, result.Regressed));
    }

    // A corpus metric that is the mean in disguise must give what the mean gives.
    [Fact]
    public void Corpus_AgreesWithMeansWhereBothApply()
    {
        var (a, b) = (Normal(400, 7), Normal(400, 8, 0.2));
        var means = PairedComparison.Means(a, b);
        var corpus = PairedComparison.Corpus([.. a.Select(x => new[] { x, 1.0 })], [.. b.Select(x => new[] { x, 1.0 })], s => s[0] / s[1]);
        Assert.Equal(means.Effect, corpus.Effect, 1e-12);
        Assert.Equal(means.Low, corpus.Low, 0.02);
        Assert.Equal(means.High, corpus.High, 0.02);
        Assert.Equal(means.PValue, corpus.PValue, 0.03);
    }

    [Fact]
    public void Comparison_RefusesWhatCannotBePaired()
    {
        Assert.Contains("different numbers", Assert.Throws<ArgumentException>(() => PairedComparison.Means([1, 2], [1])).Message);
        Assert.Contains("not a finite", Assert.Throws<ArgumentException>(() => PairedComparison.Means([double.NaN], [1])).Message);
        Assert.Contains("neither 0 nor 1", Assert.Throws<ArgumentException>(() => PairedComparison.Proportions([0.5], [1])).Message);
        Assert.Contains("no item", Assert.Throws<ArgumentException>(() => PairedComparison.Means([], [])).Message);
    }
}
