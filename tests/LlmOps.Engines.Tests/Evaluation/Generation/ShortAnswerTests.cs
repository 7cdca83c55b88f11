using LlmOps.Engines.Evaluation.Generation;

namespace LlmOps.Engines.Tests.Evaluation.Generation;

public sealed class ShortAnswerTests
{
    // The three examples of metrics/squad/README.md and of metrics/squad_v2/README.md of github.com/huggingface/evaluate, which run the official scripts.
    [Fact]
    public void MetricCards_AreReproduced()
    {
        (string Answer, string[] References)[] rows = [("1976", ["1976"]), ("Beyonce", ["Beyoncé and Bruno Mars"]), ("climate change", ["climate change"])];

        Assert.Equal((1.0, 1.0), (ShortAnswer.ExactMatch("1976", ["1976"]), ShortAnswer.F1("1976", ["1976"])));
        Assert.Equal((0.0, 0.0), (ShortAnswer.ExactMatch("1999", ["1976"]), ShortAnswer.F1("1999", ["1976"])));
        Assert.Equal(66.66666666666667, 100 * rows.Average(r => ShortAnswer.ExactMatch(r.Answer, r.References)), 1e-13);
        Assert.Equal(66.66666666666667, 100 * rows.Average(r => ShortAnswer.F1(r.Answer, r.References)), 1e-13);
    }

    [Fact]
    public void SeveralReferences_TheBestCounts()
    {
        Assert.Equal(1, ShortAnswer.ExactMatch("the Denver Broncos!", ["Broncos", "Denver Broncos"]));
        Assert.Equal(2 / 3.0, ShortAnswer.F1("Denver", ["Carolina Panthers", "Denver Broncos"]), 1e-12);
    }

    // SQuAD 2.0: a question without an answer is answered by nothing; a reference of an article only is none.
    [Fact]
    public void WithoutAnAnswer_OnlyNothingIsRight()
    {
        Assert.Equal((1.0, 1.0), (ShortAnswer.ExactMatch("", []), ShortAnswer.F1("", [])));
        Assert.Equal((0.0, 0.0), (ShortAnswer.ExactMatch("1976", ["the"]), ShortAnswer.F1("1976", [])));
    }

    // The form of GSM8K's answers, and the cases that lm-evaluation-harness's flexible filter is for.
    [Theory]
    [InlineData("He eats 16 - 3 - 4 = 9 eggs, so 9 * 2 = $18.\n#### 18", "18")]
    [InlineData("#### 1,450,000", "1450000")]
    [InlineData("The total is $1,234.50.", "1234.50")]
    [InlineData("It is -7, I think, not 3", "3")]
    [InlineData("It falls to -7.", "-7")]
    [InlineData("First #### 4 then #### 5", "5")]
    [InlineData("#### none, but 6", "6")]
    [InlineData("No idea.", null)]
    public void Number_IsTheMarkedOrTheLastOne(string text, string? number) => Assert.Equal(number, NumberAnswer.Find(text));

    [Fact]
    public void Number_IsComparedByValue()
    {
        Assert.Equal(1, NumberAnswer.Match("so $18.00 in all", "#### 18"));
        Assert.Equal(0, NumberAnswer.Match("so 180", "#### 18"));
        Assert.Equal((0.0, 1.0, 0.0), (NumberAnswer.Match("0.3", "0.2"), NumberAnswer.Match("0.3", "0.2", absolute: 0.1), NumberAnswer.Match("0.31", "0.2", absolute: 0.1)));
        Assert.Equal((1.0, 0.0), (NumberAnswer.Match("-1,010", "-1000", relative: 0.01), NumberAnswer.Match("-1,011", "-1000", relative: 0.01)));
        Assert.Throws<ArgumentException>(() => NumberAnswer.Match("1", "1", absolute: double.NaN));
        Assert.Equal(0, NumberAnswer.Match("no idea", "#### 18"));
        Assert.Contains("no number", Assert.Throws<ArgumentException>(() => NumberAnswer.Match("1", "none")).Message, StringComparison.Ordinal);
    }

    // README.md of github.com/openai/human-eval: three of the six example samples pass, "pass@1: 0.4999999999999999".
    [Fact]
    public void PassAtK_AgreesWithHumanEval()
    {
        Assert.Equal(0.4999999999999999, PassAtK.Estimate(6, 3, 1));
        Assert.Equal(1 - 1 / 20.0, PassAtK.Estimate(6, 3, 3), 1e-15); // 1 − C(3,3)/C(6,3)
        Assert.Equal((0.0, 1.0, 1.0), (PassAtK.Estimate(5, 0, 5), PassAtK.Estimate(5, 5, 1), PassAtK.Estimate(5, 2, 4)));
        Assert.Throws<ArgumentOutOfRangeException>(() => PassAtK.Estimate(4, 1, 5));
    }

    // The estimate is unbiased: its mean over all outcomes of n programs is 1 − (1−p)^k.
    [Theory]
    [InlineData(0.3, 10, 3)]
    [InlineData(0.05, 20, 5)]
    public void PassAtK_HasNoBias(double p, int n, int k)
    {
        var (mean, probability) = (0.0, Math.Pow(1 - p, n));
        for (var c = 0; c <= n; c++)
        {
            mean += probability * PassAtK.Estimate(n, c, k);
            probability *= (n - c) / (c + 1.0) * p / (1 - p);
        }
        Assert.Equal(1 - Math.Pow(1 - p, k), mean, 1e-12);
    }
}
