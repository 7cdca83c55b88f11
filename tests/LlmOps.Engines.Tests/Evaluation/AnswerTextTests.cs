using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Tests.Evaluation;

public sealed class AnswerTextTests
{
    [Theory]
    [InlineData("The  quick, brown fox!", "quick brown fox")]
    [InlineData("An apple a day", "apple day")]
    [InlineData("theatre and another", "theatre and another")]
    [InlineData("U.S.A.", "usa")]
    [InlineData("the a an", "")]
    public void Normalise_FollowsSquad(string text, string normal) => Assert.Equal(normal, AnswerText.Normalise(text));

    [Theory]
    [InlineData("The cat.", "cat", true)]
    [InlineData("cats", "cat", false)]
    [InlineData("", "the", true)]
    public void ExactMatch_ComparesNormalisedTexts(string prediction, string reference, bool same) => Assert.Equal(same, AnswerText.ExactMatch(prediction, reference));

    // "cat sat on mat" / "cat on red mat": 3 common of 4 and 4. "b b b" / "b b": 2 common of 3 and 2.
    [Theory]
    [InlineData("the cat sat on the mat", "a cat on a red mat", 0.75)]
    [InlineData("b b b", "b b", 0.8)]
    [InlineData("x", "y", 0)]
    [InlineData("", "", 1)]
    [InlineData("", "y", 0)]
    public void F1_CountsCommonWords(string prediction, string reference, double f1) => Assert.Equal(f1, AnswerText.F1(prediction, reference), 1e-12);
}
