using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Scheduling;

namespace LlmOps.Lifecycle.Tests.Scheduling;

public sealed class AlertConditionTests
{
    private static AlertFact Fact(Verdict? verdict = null, double? value = null, int missed = 0) =>
        new(FiringOutcome.Started, missed, false, verdict, value is { } v ? [new FiringMetric("preference.accuracy", v, HigherIsBetter: true)] : []);

    private static IReadOnlyList<AlertFact> Verdicts(string oldestFirst) => [.. oldestFirst.Reverse().Select(c => Fact(c switch { 'p' => Verdict.Pass, 'f' => Verdict.Fail, '?' => Verdict.CannotTell, _ => null }))];

    [Theory]
    [InlineData("??", false)]
    [InlineData("???", true)]
    [InlineData("????", false)]      // said once; again only after it was not so
    [InlineData("???p???", true)]
    [InlineData("?-??", true)]       // a firing without a verdict neither counts nor breaks the row
    [InlineData("?p??", false)]
    public void CannotTell_SpeaksWhenTheRowIsFull(string verdicts, bool speaks) =>
        Assert.Equal(speaks, AlertConditions.Says(AlertConditions.CannotTell, new AlertParameters { Runs = 3 }, Verdicts(verdicts)) is not null);

    [Fact]
    public void Trend_SpeaksOnce_WhenTheWholeIntervalOfTheSlopeIsOnTheBadSide()
    {
        // Nothing to see for ten firings, then 2 points less in each; the noise is ±0.5 points.
        double[] values = [.. Enumerable.Range(0, 22).Select(i => 0.8 + (i % 2 == 0 ? 0.005 : -0.005) - 0.02 * Math.Max(0, i - 10))];
        var p = new AlertParameters { Metric = "preference.accuracy", Last = 8 };
        var spoke = Enumerable.Range(1, values.Length).Where(n => AlertConditions.Says(AlertConditions.Trend, p, [.. values.Take(n).Reverse().Select(v => Fact(value: v))]) is not null).ToList();
        var at = Assert.Single(spoke);
        Assert.InRange(at, 13, 18);
        // Getting better is no alarm.
        Assert.Null(AlertConditions.Says(AlertConditions.Trend, p, [.. values.Select(v => Fact(value: v))]));
    }

    [Fact]
    public void TheilSen_GivesTheMedianSlope_WithSensInterval()
    {
        // Sixteen points on y = 2 x with one that is far off: n = 16 has C = z √(16·15·37/18) = 43.53 of 120 slopes, ranks 38 and 83.
        double[] values = [.. Enumerable.Range(0, 16).Select(i => i == 7 ? 500.0 : 2.0 * i)];
        var trend = TheilSen.Fit(values);
        Assert.Equal((2.0, 2.0, 2.0, 16), (trend.Slope, trend.Low, trend.High, trend.N));
        // Five points can never exclude anything, six in a row can.
        Assert.Equal(double.NegativeInfinity, TheilSen.Fit([1, 2, 3, 4, 5]).Low);
        Assert.Equal(1, TheilSen.Fit([1, 2, 3, 4, 5, 6]).Low);
    }

    [Theory]
    [InlineData("rain", "is no condition")]
    [InlineData("trend", "needs the metric")]
    public void Rule_ThatMeansNothing_IsRefused(string condition, string message) =>
        Assert.Contains(message, Assert.Throws<LlmOpsException>(() => AlertConditions.EnsureValid(condition, new())).Message, StringComparison.Ordinal);

    [Fact]
    public void Missed_IsKnownAtOnce_AndAFailedRunIsNot()
    {
        Assert.NotNull(AlertConditions.Says(AlertConditions.Missed, new(), [Fact(missed: 2)]));
        Assert.True(AlertConditions.IsKnownAtOnce(AlertConditions.Missed, Fact(missed: 2)));
        Assert.False(AlertConditions.IsKnownAtOnce(AlertConditions.Failed, Fact()));
        Assert.NotNull(AlertConditions.Says(AlertConditions.Failed, new(), [Fact() with { RunFailed = true }]));
        Assert.Null(AlertConditions.Says(AlertConditions.Failed, new(), [Fact()]));
    }
}
