using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Tests.Inference;

public sealed class SamplerTests
{
    // Probabilities 0.5, 0.3, 0.15, 0.05.
    private static readonly float[] Logits = [.. new[] { 0.5, 0.3, 0.15, 0.05 }.Select(p => (float)Math.Log(p))];

    [Theory]
    [InlineData(1, 0, 1, new[] { 0.5, 0.3, 0.15, 0.05 })]
    [InlineData(1, 2, 1, new[] { 0.625, 0.375, 0, 0 })]
    [InlineData(1, 0, 0.75f, new[] { 0.625, 0.375, 0, 0 })]
    [InlineData(1, 0, 0.85f, new[] { 0.526, 0.316, 0.158, 0 })]
    [InlineData(1, 3, 0.6f, new[] { 0.625, 0.375, 0, 0 })] // top-p of what top-k left: 0.526 is not yet 0.6
    [InlineData(0.5f, 0, 1, new[] { 0.685, 0.247, 0.062, 0.007 })]
    [InlineData(0, 0, 1, new[] { 1.0, 0, 0, 0 })]
    public void Next_DrawsEachTokenAsOftenAsItsProbability(float temperature, int topK, float topP, double[] expected)
    {
        var sampler = new Sampler(new(Temperature: temperature, TopK: topK, TopP: topP, Seed: 3), 4);
        var counts = new double[4];

        for (var i = 0; i < 20_000; i++)
            counts[sampler.Next(Logits, []).Token]++;

        for (var i = 0; i < 4; i++)
            Assert.Equal(expected[i], counts[i] / 20_000, 0.015);
    }

    [Fact]
    public void Next_MakesSeenTokensLessLikely_WhateverTheSignOfTheirLogit()
    {
        Sampler Seen()
        {
            var sampler = new Sampler(new(RepetitionPenalty: 2), 3);
            sampler.Remember([0]);
            return sampler;
        }

        Assert.Equal(1, Seen().Next([3, 2, -9], []).Token);
        Assert.Equal(2, Seen().Next([-5, -9, -6], []).Token);
    }

    [Fact]
    public void Next_NeverGivesAForbiddenToken_AndReportsTheModelsOwnProbability()
    {
        var (token, logProbability) = new Sampler(new(), 4).Next(Logits, [0]);

        Assert.Equal(1, token);
        Assert.Equal(Math.Log(0.3), logProbability, 1e-6);
    }
}
