using LlmOps.Lifecycle.Planning;

namespace LlmOps.Lifecycle.Tests.Planning;

public sealed class FitQuestionTests
{
    [Fact]
    public void Parse_ReadsWhatToTextsWrites()
    {
        var question = new FitQuestion { Version = "a/1", Layers = 3, Tied = true, BandwidthGbS = 28.5, Hardware = "t4", Kv = "fp16" };
        Assert.Equal(question, FitQuestion.Parse(question.ToTexts().Select(t => (t.Key, t.Value))));
        Assert.Equal(new FitQuestion(), FitQuestion.Parse([("users", " "), ("model", "")]));
    }

    [Theory]
    [InlineData("layers", "3.5", "layers is '3.5'; a whole number is expected.")]
    [InlineData("memory_gib", "much", "memory_gib is 'much'; a number is expected.")]
    [InlineData("memory_gib", "NaN", "memory_gib is 'NaN'; a number is expected.")]
    [InlineData("tied", "perhaps", "tied is 'perhaps'; true or false is expected.")]
    [InlineData("colour", "red", "The planner has no 'colour'. It takes version, model,")]
    public void Parse_RefusesByName(string name, string value, string message) =>
        Assert.StartsWith(message, Assert.Throws<LlmOpsException>(() => FitQuestion.Parse([(name, value)])).Message, StringComparison.Ordinal);
}
