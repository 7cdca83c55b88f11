using LlmOps.Engines.Evaluation.Rag;

namespace LlmOps.Engines.Tests.Evaluation.Rag;

public sealed class LexicalSupportTests
{
    private static readonly string[] Texts = ["A worker renews its lease with a heartbeat every 10 seconds.", "Rollback moves the alias back in one step."];

    [Theory]
    [InlineData("The worker renews its lease with a heartbeat. [1]", true)]
    [InlineData("Workers renewed leases by heartbeats [1].", true)] // stems, and words of no content
    [InlineData("The worker renews its lease every 30 seconds [1].", false)] // a number that stands nowhere
    [InlineData("The worker renews its lease every 10 seconds [1].", true)]
    [InlineData("The worker moves the lease back in one heartbeat.", false)] // half from either text
    [InlineData("Llamas eat grass.", false)]
    public void ASentence_IsSupported_WhenOneTextHasItsWordsAndNumbers(string answer, bool supported) => Assert.Equal([supported], LexicalSupport.Of(answer, Texts));

    [Fact]
    public void Sentences_AreJudgedByThemselves_AndThoseThatSayNothingAreNotCounted()
    {
        Assert.Equal([true, false], LexicalSupport.Of("Rollback moves the alias back in one step [2]. Rollback deletes every model [2]. It is!", Texts));
        Assert.Equal(0.5, RagMetrics.Faithfulness(LexicalSupport.Of("Rollback moves the alias back in one step [2]. Rollback deletes every model [2].", Texts)));
        Assert.Empty(LexicalSupport.Of("[1, 2]", Texts));
        Assert.Equal([false], LexicalSupport.Of("Rollback moves the alias.", []));
    }

    [Fact]
    public void WordsAreNotMeaning_WhichTheDocumentationSays() => Assert.Equal([true], LexicalSupport.Of("A worker never renews its lease with a heartbeat every 10 seconds.", Texts));
}
