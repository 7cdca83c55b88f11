using LlmOps.Engines.Evaluation.Contamination;

namespace LlmOps.Engines.Tests.Evaluation.Contamination;

public sealed class ContaminationTextTests
{
    [Theory]
    [InlineData("The  cat,\n sat.", "the cat sat", 3)]
    [InlineData("well-known", "well known", 2)]
    [InlineData("ﬁve Ａ", "five a", 2)]               // a ligature and a full-width letter
    [InlineData("Cafe\u0301", "café", 1)]              // composed or not
    [InlineData("3 + 4", "3 + 4", 3)]
    [InlineData("3 - 4", "3 - 4", 3)]                  // another sum than 3 + 4
    [InlineData("3-4", "3 - 4", 3)]
    [InlineData("costs $5, or 10%", "costs $ 5 or 10 %", 6)]
    [InlineData("東京は", "東 京 は", 3)]
    [InlineData("don't", "don t", 2)]
    [InlineData("?!", "?!", 0)]
    [InlineData("  \n ", "", 0)]
    [InlineData("", "", 0)]
    [InlineData("a\uD800b", "a b", 2)]                 // half of a pair, as real data has it
    public void Of_KeepsWordsOnly(string text, string expected, int words)
    {
        var normalised = ContaminationText.Of(text);
        Assert.Equal((expected, words), (normalised.Normalized, normalised.Words));
    }

    [Fact]
    public void Window_GivesTheWordsAsTheyAre()
    {
        var text = ContaminationText.Of("one, two; three four");
        Assert.Equal(("one two", "three four", "four"), (text.Window(0, 2), text.Window(2, 2), text.Window(3, 1)));
        Assert.Equal("two", text.Word(1).ToString());
    }
}
