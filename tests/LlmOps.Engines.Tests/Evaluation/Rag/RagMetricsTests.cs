using LlmOps.Engines.Evaluation.Rag;

namespace LlmOps.Engines.Tests.Evaluation.Rag;

public sealed class RagMetricsTests
{
    // The examples in RAGAS's documentation (docs/concepts/metrics/available_metrics of github.com/explodinggradients/ragas): 0.9999999999 and 0.5.
    [Fact]
    public void Examples_AgreeWithRagas()
    {
        string[] references = ["Paris is the capital of France.", "The Eiffel Tower is one of the most famous landmarks in Paris."];

        Assert.Equal(0.9999999999, RagMetrics.ContextPrecisionBySimilarity(["The Eiffel Tower is located in Paris."], references)!.Value, 1e-15);
        Assert.Equal(0.5, RagMetrics.ContextRecallBySimilarity(["Paris is the capital of France."], references));
        Assert.Equal(0.5, RagMetrics.Faithfulness([true, false]));
        Assert.Equal(0.49999999995, RagMetrics.ContextPrecision([false, true])!.Value, 1e-12);
    }

    [Fact]
    public void ContextPrecision_WeighsByRank()
    {
        Assert.Equal((1 + 2 / 3.0) / 2, RagMetrics.ContextPrecision([true, false, true])!.Value, 1e-9);
        Assert.Equal(0, RagMetrics.ContextPrecision([false, false]));
    }

    [Fact]
    public void WhatCannotBeComputed_IsMissing()
    {
        Assert.Null(RagMetrics.Faithfulness([]));
        Assert.Null(RagMetrics.ContextRecall([]));
        Assert.Null(RagMetrics.ContextPrecision([]));
        Assert.Null(RagMetrics.AnswerRelevancy([1, 0], []));
        Assert.Null(RagMetrics.AnswerRelevancy([0, 0], [([1, 0], false)]));
        Assert.Null(RagMetrics.ContextPrecisionBySimilarity(["a"], []));
        Assert.Null(RagMetrics.CitationPrecision([], ["a"]));
        Assert.Null(RagMetrics.CitationRecall(["a"], []));
    }

    [Fact]
    public void AnswerRelevancy_IsAMeanCosine()
    {
        Assert.Equal(0.5, RagMetrics.AnswerRelevancy([1, 0], [([2, 0], false), ([0, 3], false)])!.Value, 1e-12);
        Assert.Equal(0, RagMetrics.AnswerRelevancy([1, 0], [([2, 0], false), ([0, 3], true)]));
        Assert.Throws<ArgumentException>(() => RagMetrics.AnswerRelevancy([1, 0], [([1], false)]));
    }

    [Fact]
    public void Citations_AreReadAndCompared()
    {
        Assert.Equal([2, 1, 3], RagMetrics.Citations("It is so [2]. And so [1, 3]; also [2] but not [note] or [2024-01]."));
        Assert.Equal(0.5, RagMetrics.CitationPrecision(["a", "b"], ["b", "c", "d"]));
        Assert.Equal(1 / 3.0, RagMetrics.CitationRecall(["a", "b"], ["b", "c", "d"]));
    }

    [Theory]
    [InlineData("kitten", "sitting", 1 - 3 / 7.0)]
    [InlineData("", "", 1)]
    [InlineData("", "abc", 0)]
    [InlineData("flaw", "lawn", 0.5)]
    public void Similarity_IsEditDistance(string a, string b, double similarity)
    {
        Assert.Equal(similarity, StringSimilarity.Of(a, b), 1e-12);
        Assert.Equal(similarity, StringSimilarity.Of(b, a), 1e-12);
    }
}
