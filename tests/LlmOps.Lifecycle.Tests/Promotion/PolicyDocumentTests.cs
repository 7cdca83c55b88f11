using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Lifecycle.Tests.Promotion;

public sealed class PolicyDocumentTests
{
    private const string Whole = """
        name: release
        description: 'What a candidate has to show: everything'
        alpha: 0.01
        power: 0.9
        correction: none
        looks: 3
        minimum_rows: 200
        maximum_missing: 0.05
        thresholds:
          - metric: preference.accuracy
            at_least: 0.6
          - metric: corpus.bits_per_byte
            below: 2.5
        budgets:
          - metric: size_bytes
            at_most: 60000000
        non_inferiority:
          - metric: definitions.bits_per_byte
            margin: 0.02
        improvements:
          - metric: questions.exact_match
            by: 0.01
        slices:
          - metric: preference.accuracy
            margin: 0.1
            only: [noun, verb]
          - metric: definitions.bits_per_byte
            margin: 0.2
        demands:
          parity: passed
          contamination: zero
          licences: [MIT, Apache-2.0]
        """;

    [Fact]
    public void Policy_IsReadWhole_AndWrittenAgain()
    {
        var policy = PolicyDocument.Parse(Whole);
        Assert.Equal((0.01, 0.9, PolicyCorrection.None, 3, 200, 0.05), (policy.Alpha, policy.Power, policy.Correction, policy.Looks, policy.MinimumRows, policy.MaximumMissing));
        Assert.Equal(
            ["preference.accuracy >= 0.6", "corpus.bits_per_byte < 2.5", "size_bytes <= 60000000", "definitions.bits_per_byte no-worse-than champion by 0.02", "questions.exact_match better-than champion by 0.01",
                "preference.accuracy no-worse-than champion by 0.1 in the slices noun, verb", "definitions.bits_per_byte no-worse-than champion by 0.2 in every slice", "parity passed", "contamination zero", "licence one of MIT, Apache-2.0"],
            policy.Rules.Select(r => r.Text));
        var again = PolicyDocument.Parse(PolicyText.Write(policy));
        Assert.Equal(policy.Rules.Select(r => r.Text), again.Rules.Select(r => r.Text));
        Assert.Equal(policy with { Rules = [] }, again with { Rules = [] });
    }

    [Theory]
    [InlineData("name: x\nalhpa: 0.1\nbudgets:\n  - metric: size_bytes\n    at_most: 1", "line 2: 'alhpa' is unknown.")]
    [InlineData("name: x\nthresholds:\n  - metric: a.b\n    at_leest: 1", "line 4: 'thresholds[0].at_leest' is unknown.")]
    [InlineData("name: x\nthresholds:\n  - metric: a.b", "line 3: a threshold needs one of at_least, at_most, above, below.")]
    [InlineData("name: x\nthresholds:\n  - metric: a.b\n    at_least: much", "line 4: 'thresholds[0].at_least' is a number.")]
    [InlineData("name: x\nnon_inferiority:\n  - metric: a.b\n    margin: -1", "line 4: 'non_inferiority[0].margin' is a number of at least 0.")]
    [InlineData("name: x\nnon_inferiority:\n  - metric: a.b", "line 3: 'non_inferiority[0].margin' is a number of at least 0.")]
    [InlineData("name: x\nnon_inferiority:\n  - metric: ''\n    margin: 1", "line 3: 'non_inferiority[0].metric' is a metric")]
    [InlineData("name: x\nalpha: 2\nbudgets:\n  - metric: size_bytes\n    at_most: 1", "line 2: 'alpha' is a number from 0.0001 to 0.5.")]
    [InlineData("name: x\nlooks: 0\nbudgets:\n  - metric: size_bytes\n    at_most: 1", "line 2: 'looks' is a whole number from 1 to 20.")]
    [InlineData("name: x\ncorrection: bonferroni\nbudgets:\n  - metric: size_bytes\n    at_most: 1", "line 2: 'correction' is holm or none.")]
    [InlineData("name: x\ndemands:\n  parity: maybe", "line 3: 'demands.parity' is passed.")]
    [InlineData("name: x\ndemands:\n  licences: []", "'licences' is a list of licences that are allowed")]
    [InlineData("name: x\ndemands: yes", "line 2: 'demands' is a mapping.")]
    [InlineData("name: x\nbudgets: []", "line 2: 'budgets' is a list of rules")]
    [InlineData("name: X y\nbudgets:\n  - metric: size_bytes\n    at_most: 1", "'name' is a name of lower-case letters")]
    [InlineData("name: x", "the policy has no rule: it would let everything through")]
    [InlineData("name: x\nbudgets:\n  - metric: size_bytes\n    at_most: 1\n  - metric: size_bytes\n    at_most: 1", "is there twice")]
    [InlineData("name: x\n  bad: [", "this is not valid YAML")]
    [InlineData("- a", "one YAML mapping")]
    public void Policy_IsRefused_WithTheLine(string yaml, string problem)
    {
        Assert.Contains(PolicyDocument.Problems(yaml), p => p.Contains(problem, StringComparison.Ordinal));
        Assert.Equal(ErrorCode.InvalidParameterValue, Assert.Throws<LlmOpsException>(() => PolicyDocument.Parse(yaml)).Code);
    }
}
