using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Tests.Promotion;

public sealed class PromotionGateTests
{
    private static MeasuredMetric Metric(string name, double value, double low, double high, bool higherIsBetter = false, int n = 100) => new(name, value, low, high, n, "unit", higherIsBetter);

    private static GateCandidate Candidate(bool? parity = true, IReadOnlyDictionary<string, MeasuredMetric>? differences = null, params MeasuredMetric[] metrics) => new("int8", parity, 1000, metrics, differences);

    private static RuleResult Judge(string rule, GateCandidate candidate) => Assert.Single(PromotionGate.Evaluate([rule], candidate).Reasons);

    [Theory]
    // The interval decides, not the value: 2.0 (1.8 … 2.2).
    [InlineData("loss.x <= 2.2", Verdict.Pass)]
    [InlineData("loss.x <= 2.1", Verdict.CannotTell)]
    [InlineData("loss.x <= 1.8", Verdict.CannotTell)]
    [InlineData("loss.x <= 1.79", Verdict.Fail)]
    [InlineData("loss.x < 2.2", Verdict.CannotTell)]
    [InlineData("loss.x < 2.21", Verdict.Pass)]
    [InlineData("loss.x < 1.8", Verdict.Fail)]
    [InlineData("loss.x >= 1.8", Verdict.Pass)]
    [InlineData("loss.x >= 1.81", Verdict.CannotTell)]
    [InlineData("loss.x >= 2.2", Verdict.CannotTell)]
    [InlineData("loss.x >= 2.21", Verdict.Fail)]
    [InlineData("loss.x > 1.8", Verdict.CannotTell)]
    [InlineData("loss.x > 1.79", Verdict.Pass)]
    [InlineData("loss.x > 2.2", Verdict.Fail)]
    [InlineData("  loss.x   <=   2.2  ", Verdict.Pass)]
    [InlineData("loss.x>=-1e-3", Verdict.Pass)]
    public void AbsoluteRule_IsJudgedByTheWholeInterval(string rule, Verdict expected) =>
        Assert.Equal(expected, Judge(rule, Candidate(metrics: Metric("loss.x", 2.0, 1.8, 2.2))).Verdict);

    [Theory]
    [InlineData("size_bytes <= 1000", Verdict.Pass)]
    [InlineData("size_bytes < 1000", Verdict.Fail)]
    [InlineData("size_bytes >= 1001", Verdict.Fail)]
    public void Size_IsExact(string rule, Verdict expected) => Assert.Equal(expected, Judge(rule, Candidate()).Verdict);

    [Theory]
    [InlineData(true, Verdict.Pass)]
    [InlineData(false, Verdict.Fail)]
    [InlineData(null, Verdict.CannotTell)]
    public void Parity_IsUnknown_UntilItWasMeasured(bool? passed, Verdict expected) => Assert.Equal(expected, Judge("parity passed", Candidate(passed)).Verdict);

    [Fact]
    public void MetricThatWasNotMeasured_CannotPass()
    {
        var result = Judge("recall.at_5 >= 0.5", Candidate(metrics: Metric("loss.x", 2, 2, 2)));
        Assert.Equal(Verdict.CannotTell, result.Verdict);
        Assert.Contains("recall.at_5 was not measured. Measured: loss.x", result.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void MetricThatIsNoNumber_CannotPass() =>
        Assert.Equal(Verdict.CannotTell, Judge("loss.x <= 2", Candidate(metrics: Metric("loss.x", double.NaN, double.NaN, double.NaN))).Verdict);

    [Theory]
    // Lower is better; the difference is candidate minus champion, the margin 0.05.
    [InlineData(0.01, -0.02, 0.04, false, Verdict.Pass)]
    [InlineData(-0.50, -0.60, -0.40, false, Verdict.Pass)]
    [InlineData(0.04, 0.02, 0.06, false, Verdict.CannotTell)]
    [InlineData(0.05, 0.05, 0.05, false, Verdict.CannotTell)]
    [InlineData(0.20, 0.10, 0.30, false, Verdict.Fail)]
    // Worse for certain, but by less than the margin: that is what non-inferiority allows.
    [InlineData(0.03, 0.02, 0.04, false, Verdict.Pass)]
    // Higher is better.
    [InlineData(-0.01, -0.04, 0.02, true, Verdict.Pass)]
    [InlineData(0.50, 0.40, 0.60, true, Verdict.Pass)]
    [InlineData(-0.04, -0.06, -0.02, true, Verdict.CannotTell)]
    [InlineData(-0.20, -0.30, -0.10, true, Verdict.Fail)]
    // Nothing significant, but the interval is wide: not shown to be no worse.
    [InlineData(0.00, -0.30, 0.30, true, Verdict.CannotTell)]
    public void Candidate_MustBeNoWorseThanTheChampion_ByTheMargin(double value, double low, double high, bool higherIsBetter, Verdict expected)
    {
        var differences = new Dictionary<string, MeasuredMetric> { ["task.x"] = Metric("task.x", value, low, high, higherIsBetter) };
        Assert.Equal(expected, Judge("task.x no-worse-than champion by 0.05", Candidate(differences: differences)).Verdict);
    }

    [Fact]
    public void ChampionRule_Passes_WhenThereIsNoChampion() =>
        Assert.Equal(Verdict.Pass, Judge("task.x no-worse-than champion by 0.05", Candidate(differences: null)).Verdict);

    [Fact]
    public void ChampionRule_CannotPass_WhenNothingWasMeasuredOnTheSameRows()
    {
        Assert.Equal(Verdict.CannotTell, Judge("task.x no-worse-than champion by 0.05", Candidate(differences: new Dictionary<string, MeasuredMetric>())).Verdict);
        Assert.Equal(Verdict.CannotTell, Judge("task.x no-worse-than champion by 0.05", Candidate(differences: new Dictionary<string, MeasuredMetric> { ["task.y"] = Metric("task.y", 0, 0, 0) })).Verdict);
    }

    [Theory]
    [InlineData(Verdict.Pass, "size_bytes <= 1000", "parity passed")]
    [InlineData(Verdict.CannotTell, "size_bytes <= 1000", "loss.x <= 2")]
    [InlineData(Verdict.Fail, "loss.x <= 2", "size_bytes <= 10", "parity passed")]
    public void Verdict_IsTheWorstOfItsRules(Verdict expected, params string[] rules)
    {
        var outcome = PromotionGate.Evaluate(rules, Candidate(metrics: Metric("loss.x", 2, 1, 3)));
        Assert.Equal(expected, outcome.Verdict);
        Assert.Equal(rules, outcome.Reasons.Select(r => r.Rule));
    }

    [Theory]
    [InlineData("")]
    [InlineData("loss.x is small")]
    [InlineData("loss.x == 2")]
    [InlineData("loss.x <= two")]
    [InlineData("loss.x <= 1.2.3")]
    [InlineData("loss.x <= .")]
    [InlineData("loss.x <= 1e999")]
    [InlineData("loss.x no-worse-than champion by -1")]
    [InlineData("loss.x no-worse-than champion by 1.1.1")]
    [InlineData("loss.x no-worse-than champion")]
    [InlineData("parity failed")]
    [InlineData("loss.x <= 2; DROP TABLE jobs")]
    public void Text_ThatIsNoRule_IsRefusedByName(string rule)
    {
        var refusal = Assert.Throws<LlmOpsException>(() => PromotionGate.EnsureValid(["parity passed", rule]));
        Assert.Equal(ErrorCode.InvalidParameterValue, refusal.Code);
        Assert.Contains($"'{rule}' is no gate rule", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GateWithoutRules_IsRefused() => Assert.Contains("let everything through", Assert.Throws<LlmOpsException>(() => PromotionGate.Evaluate([], Candidate())).Message, StringComparison.Ordinal);
}
