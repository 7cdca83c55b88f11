using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Tests.Promotion;

public sealed class PolicyGateTests
{
    private static readonly EvaluationTask Task = new("task", "accuracy", "share", true);

    /// <summary>A comparison of n pairs whose difference has this value and standard error.</summary>
    private static MetricComparison Compared(string metric, double effect, double error, int n = 1000, double? p = null, MissingRows? missing = null, params SliceComparison[] slices) =>
        new(metric, Task, 0.5, 0.5 + effect, new(metric, effect, effect - 1.959963984540054 * error, effect + 1.959963984540054 * error, n, "share", true), p ?? 1, p ?? 1, 10, 10, missing ?? new(0, 0, 0), null, "test", error * Math.Sqrt(n), slices);

    private static SliceComparison Slice(string name, double effect, double error, int n = 100) => new(name, n, 0.5, 0.5 + effect, effect, effect - 1.96 * error, effect + 1.96 * error, 1, 1, 1);

    private static GateCandidate Candidate(params MetricComparison[] compared) =>
        new("int4", true, 1000, [], compared.ToDictionary(c => c.Difference.Name, c => c.Difference)) { Compared = compared.ToDictionary(c => c.Difference.Name), Licence = "MIT" };

    private static PolicyDocument Policy(string rules, string top = "") => PolicyDocument.Parse($"name: p\n{top}\n{rules}");

    private static string Margin(string metric, string margin = "0.05") => $"  - metric: {metric}\n    margin: {margin}\n";

    [Theory]
    // one-sided 5 %: 1.645 standard errors decide
    [InlineData(0.00, 0.030, Verdict.Pass)]
    [InlineData(0.00, 0.031, Verdict.CannotTell)]
    [InlineData(-0.10, 0.030, Verdict.Fail)]
    [InlineData(-0.10, 0.031, Verdict.CannotTell)]
    public void Margin_IsJudgedAtThePolicysAlpha(double effect, double error, Verdict expected) =>
        Assert.Equal(expected, PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy")), Candidate(Compared("task.accuracy", effect, error))).Verdict);

    [Fact]
    public void CannotTell_SaysHowManyMoreRowsAreNeeded()
    {
        // One row spreads by 1. Margin 0.05 at alpha 0.05 and power 0.8 needs ((1.645 + 0.842) ÷ 0.05)² = 2,473 rows; there are 1,000.
        var outcome = PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy")), Candidate(Compared("task.accuracy", 0, 1 / Math.Sqrt(1000))));
        Assert.Equal(Verdict.CannotTell, outcome.Verdict);
        Assert.InRange(outcome.MoreRows!.Value, 1470, 1480);
        Assert.Contains($"needs {outcome.MoreRows:N0} more rows", outcome.Words, StringComparison.Ordinal);
    }

    [Fact]
    public void TooFewRows_SayNothing_HoweverClearTheyLook()
    {
        var outcome = PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy"), "minimum_rows: 200"), Candidate(Compared("task.accuracy", -0.5, 0.01, n: 50)));
        Assert.Equal((Verdict.CannotTell, 150), (outcome.Verdict, outcome.MoreRows!.Value));
    }

    [Theory]
    [InlineData(2, null, Verdict.CannotTell)]
    [InlineData(28, null, Verdict.CannotTell)]
    [InlineData(29, null, Verdict.Pass)]
    [InlineData(10_000, 2, Verdict.CannotTell)]
    [InlineData(10_000, 29, Verdict.Pass)]
    public void EqualDifferences_AreNoCertainty_BeforeThereAreEnough(int rows, int? sources, Verdict expected)
    {
        var outcome = PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy")), Candidate(Compared("task.accuracy", 0, 0, rows) with { Clusters = sources }));
        Assert.Equal(expected, outcome.Verdict);
        Assert.Equal(expected == Verdict.Pass ? null : 29 - (sources ?? rows), outcome.MoreRows);
    }

    [Fact]
    public void RowsOfFewSources_AreFew()
    {
        var outcome = PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy"), "minimum_rows: 20"), Candidate(Compared("task.accuracy", 0, 0.001, 10_000) with { Clusters = 5 }));
        Assert.Equal((Verdict.CannotTell, 15), (outcome.Verdict, outcome.MoreRows!.Value));
        Assert.Contains("independent sources", outcome.Words, StringComparison.Ordinal);
    }

    [Fact]
    public void SpentLooks_DecideNothing_NotEvenWithoutSpread() =>
        Assert.Equal(Verdict.CannotTell, PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy"), "looks: 2"), Candidate(Compared("task.accuracy", 0, 0)) with { Look = 3 }).Verdict);

    [Fact]
    public void Holm_DoesNotRefuse_ForTheWorstOfManyRules()
    {
        // Twenty rules, one of them 1.8 standard errors below its bound: by itself significant (p 0.036), among twenty not (0.72).
        var compared = Enumerable.Range(0, 20).Select(i => Compared($"task.m{i}", i == 0 ? -0.05 - 1.8 * 0.01 : 0, 0.01)).ToArray();
        var rules = "non_inferiority:\n" + string.Concat(compared.Select(c => Margin(c.Key)));
        Assert.Equal(Verdict.Fail, PromotionGate.Evaluate(Policy(rules, "correction: none"), Candidate(compared)).Verdict);
        var corrected = PromotionGate.Evaluate(Policy(rules), Candidate(compared));
        Assert.Equal(Verdict.CannotTell, corrected.Verdict);
        Assert.Contains("among 20 tests that may be chance", corrected.Words, StringComparison.Ordinal);
        // Far worse is far worse, also among twenty.
        compared[0] = Compared("task.m0", -0.2, 0.01);
        Assert.Equal(Verdict.Fail, PromotionGate.Evaluate(Policy(rules), Candidate(compared)).Verdict);
    }

    [Fact]
    public void Looks_ShareAlpha_AndEnd()
    {
        var policy = Policy("non_inferiority:\n" + Margin("task.accuracy"), "looks: 3");
        var (first, last) = (PromotionGate.AlphaOf(policy, 1), PromotionGate.AlphaOf(policy, 3));
        Assert.True(first < last && last < 0.05 && first > 0, $"{first} … {last}");
        var candidate = Candidate(Compared("task.accuracy", -0.2, 0.01));
        Assert.Equal(Verdict.Fail, PromotionGate.Evaluate(policy, candidate with { Look = 3 }).Verdict);
        var spent = PromotionGate.Evaluate(policy, candidate with { Look = 4 });
        Assert.Equal(Verdict.CannotTell, spent.Verdict);
        Assert.Contains("look 4 of 3 planned", spent.Words, StringComparison.Ordinal);
    }

    [Fact]
    public void Improvement_MustBeShown()
    {
        var policy = Policy("improvements:\n  - metric: task.accuracy\n    by: 0.02");
        Assert.Equal(Verdict.Pass, PromotionGate.Evaluate(policy, Candidate(Compared("task.accuracy", 0.05, 0.01))).Verdict);
        Assert.Equal(Verdict.CannotTell, PromotionGate.Evaluate(policy, Candidate(Compared("task.accuracy", 0.03, 0.01))).Verdict);
        Assert.Equal(Verdict.Fail, PromotionGate.Evaluate(policy, Candidate(Compared("task.accuracy", 0, 0.01))).Verdict);
    }

    [Fact]
    public void WorseAtAMarginOfZero_IsDecidedByTheTestOfTheComparison()
    {
        var policy = Policy("non_inferiority:\n" + Margin("task.accuracy", "0"));
        Assert.Equal(Verdict.Fail, PromotionGate.Evaluate(policy, Candidate(Compared("task.accuracy", -0.02, 0.01, p: 0.09))).Verdict);
        Assert.Equal(Verdict.CannotTell, PromotionGate.Evaluate(policy, Candidate(Compared("task.accuracy", -0.02, 0.01, p: 0.11))).Verdict);
    }

    [Fact]
    public void ASliceThatRegresses_RefusesTheCandidate_ByName()
    {
        var compared = Compared("task.accuracy", 0, 0.001, 1000, null, null, Slice("noun", 0.01, 0.01), Slice("verb", -0.4, 0.02), Slice("rare", 0, 0.2, 4));
        var all = PromotionGate.Evaluate(Policy("slices:\n" + Margin("task.accuracy", "0.1")), Candidate(compared));
        Assert.Equal(Verdict.Fail, all.Verdict);
        Assert.Contains("in the slice 'verb'", all.Words, StringComparison.Ordinal);
        Assert.Equal(Verdict.Pass, PromotionGate.Evaluate(Policy("slices:\n" + Margin("task.accuracy", "0.1") + "    only: [noun]"), Candidate(compared)).Verdict);
        Assert.Equal(Verdict.CannotTell, PromotionGate.Evaluate(Policy("slices:\n" + Margin("task.accuracy", "0.1") + "    only: [rare]"), Candidate(compared)).Verdict);
        Assert.Contains("'adverb' has no two rows", PromotionGate.Evaluate(Policy("slices:\n" + Margin("task.accuracy", "0.1") + "    only: [adverb]"), Candidate(compared)).Words, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingRows_CannotPass()
    {
        var outcome = PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy")), Candidate(Compared("task.accuracy", 0.2, 0.01, missing: new(0, 30, 0))));
        Assert.Equal(Verdict.CannotTell, outcome.Verdict);
        Assert.Contains("30 of the candidate", outcome.Words, StringComparison.Ordinal);
        Assert.Equal(Verdict.Pass, PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy"), "maximum_missing: 0.05"), Candidate(Compared("task.accuracy", 0.2, 0.01, missing: new(0, 30, 0)))).Verdict);
    }

    [Fact]
    public void Demands_AreJudged_AndUnknownIsNoPass()
    {
        var policy = Policy("demands:\n  parity: passed\n  contamination: zero\n  licences: [mit]");
        var clean = Candidate() with { Contamination = new(0, []) };
        Assert.Equal(Verdict.Pass, PromotionGate.Evaluate(policy, clean).Verdict);
        Assert.Contains("3 rows of the evaluation are in the training data", PromotionGate.Evaluate(policy, clean with { Contamination = new(3, []) }).Words, StringComparison.Ordinal);
        Assert.Equal(Verdict.CannotTell, PromotionGate.Evaluate(policy, clean with { Contamination = new(0, ["a/1 with b/1"]) }).Verdict);
        Assert.Equal(Verdict.CannotTell, PromotionGate.Evaluate(policy, clean with { Contamination = null }).Verdict);
        Assert.Equal(Verdict.Fail, PromotionGate.Evaluate(policy, clean with { Licence = "CC-BY-NC-4.0" }).Verdict);
        Assert.Equal(Verdict.Fail, PromotionGate.Evaluate(policy, clean with { ParityPassed = false }).Verdict);
    }

    [Fact]
    public void Budgets_AreJudgedLikeThresholds()
    {
        var policy = Policy("budgets:\n  - metric: size_bytes\n    at_most: 1000\n  - metric: cost_usd\n    at_most: 2");
        var candidate = Candidate() with { Metrics = [new("cost_usd", 3, 3, 3, 1, "USD", false)] };
        var outcome = PromotionGate.Evaluate(policy, candidate);
        Assert.Equal([Verdict.Pass, Verdict.Fail], outcome.Reasons.Select(r => r.Verdict));
        Assert.Contains("cost_usd is 3 USD", outcome.Words, StringComparison.Ordinal);
    }

    [Fact]
    public void EqualNumbers_PassAMargin_WhenNothingVaries() =>
        Assert.Equal(Verdict.Pass, PromotionGate.Evaluate(Policy("non_inferiority:\n" + Margin("task.accuracy")), Candidate(Compared("task.accuracy", 0, 0))).Verdict);
}
