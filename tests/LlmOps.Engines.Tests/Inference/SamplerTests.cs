using LlmOps.Engines.Inference;
using LlmOps.TestKit;

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

    [Theory]
    [InlineData(0.2f, 1, 0, new[] { 0.526, 0.316, 0.158, 0 })] // 0.15 is at least 0.2 of 0.5, 0.05 is not
    [InlineData(0.2f, 1, 2, new[] { 0.625, 0.375, 0, 0 })]
    [InlineData(0.2f, 0.75f, 0, new[] { 0.625, 0.375, 0, 0 })]
    [InlineData(0.7f, 0.95f, 3, new[] { 1.0, 0, 0, 0 })]
    public void Next_LeavesOutWhatIsFarLessLikelyThanTheBest_WithMinP(float minP, float topP, int topK, double[] expected)
    {
        var sampler = new Sampler(new(Temperature: 1, TopK: topK, TopP: topP, Seed: 3) { MinP = minP }, 4);
        var counts = new double[4];

        for (var i = 0; i < 20_000; i++)
            counts[sampler.Next(Logits, []).Token]++;

        for (var i = 0; i < 4; i++)
            Assert.Equal(expected[i], counts[i] / 20_000, 0.015);
    }

    [Fact]
    public void Next_PresenceCountsOnceAndFrequencyEachTime_AndNeitherCountsThePrompt()
    {
        static int[] Greedy(SamplingOptions options)
        {
            var sampler = new Sampler(options, 3);
            sampler.Remember([0, 0, 0, 0]);
            return [.. Enumerable.Range(0, 6).Select(_ => sampler.Next([3, 2.2f, 0.1f], []).Token)];
        }

        // 3 − 1 = 2 < 2.2, then 2.2 − 1 = 1.2 < 2; from then on 2 is the best.
        Assert.Equal([0, 1, 0, 0, 0, 0], Greedy(new() { PresencePenalty = 1 }));
        // 3, then 2.2 against 2, then 2 against 1.2, then 1 against 1.2, then 1 against 0.2, then 0 against 0.2 and 0.1.
        Assert.Equal([0, 1, 0, 1, 0, 1], Greedy(new() { FrequencyPenalty = 1 }));
        Assert.Equal([0, 0, 0, 0, 0, 0], Greedy(new()));
    }

    [Fact]
    public void Next_AddsTheBias_BeforeTheRepetitionPenalty()
    {
        var sampler = new Sampler(new(RepetitionPenalty: 4) { LogitBias = new Dictionary<int, float> { [2] = 12 } }, 3);
        sampler.Remember([2]);

        // 12 − 9 = 3, divided by 4 is 0.75; the other way round −9 · 4 + 12 would lose against all.
        Assert.Equal(2, sampler.Next([0.5f, 0.7f, -9], []).Token);
    }

    [Fact]
    public void Next_TakesNothingThatTheGrammarForbids_WhateverThePenaltiesAndTheBias()
    {
        var tokenizer = TinyModels.Tokenizer();
        var (trie, grammar, count) = (new TokenTrie(tokenizer), OutputGrammar.FromSchema("""{"const":7}"""), tokenizer.VocabularySize);
        var seven = tokenizer.Encode("7").Single();
        var options = new SamplingOptions(RepetitionPenalty: 0.1f) { LogitBias = Enumerable.Range(0, count).ToDictionary(i => i, i => i == seven ? -50f : 100), PresencePenalty = -2 };
        var sampler = new Sampler(options, count);
        sampler.Remember([.. Enumerable.Range(0, count).Where(i => i != seven)]);
        var logits = new float[count];

        Assert.Equal(seven, sampler.Next(logits, [], grammar.Start(trie)).Token);
        Assert.Throws<ArgumentException>(() => new Sampler(options, count).Next(logits, [seven], grammar.Start(trie)));
        Assert.Throws<ArgumentException>(() => new Sampler(new(Temperature: 1), count).Next(logits, [seven], grammar.Start(trie)));
    }

    [Fact]
    public void Alternatives_AreTheMostLikelyTokens_WithTheModelsOwnProbabilities()
    {
        var sampler = new Sampler(new(Temperature: 0.1f, TopK: 1) { TopLogProbabilities = 3 }, 4);
        var (token, logProbability) = sampler.Next([Logits[2], Logits[0], Logits[3], Logits[1]], []);

        var best = sampler.Alternatives([Logits[2], Logits[0], Logits[3], Logits[1]], token, logProbability);

        Assert.Equal([1, 3, 0], best.Select(b => b.Id));
        foreach (var (b, expected) in best.Zip([0.5, 0.3, 0.15]))
            Assert.Equal(Math.Log(expected), b.LogProbability, 1e-5);
    }

    [Theory]
    [InlineData(0.3f)]
    [InlineData(0.9f)]
    [InlineData(0.999f)]
    public void Next_DrawsFromExactlyTheSmallestSet_InALargeVocabularyWithTies(float topP)
    {
        const int vocabulary = 700;
        var random = new Random(9);
        // Rounded as 8-bit fractions are: many logits are equal.
        var logits = Enumerable.Range(0, vocabulary).Select(_ => MathF.Round(8 * (float)(random.NextDouble() + random.NextDouble() + random.NextDouble())) / 4).ToArray();
        var weights = logits.Select(l => Math.Exp(l - logits.Max())).ToArray();
        var order = Enumerable.Range(0, vocabulary).OrderByDescending(i => weights[i]).ThenBy(i => i).ToArray();
        double sum = 0;
        var inside = order.TakeWhile(i => sum < topP * weights.Sum() - 1e-4 && (sum += weights[i]) > 0).ToHashSet();

        var sampler = new Sampler(new(Temperature: 1, TopP: topP, Seed: 1), vocabulary);
        var drawn = Enumerable.Range(0, 4_000).Select(_ => sampler.Next(logits, []).Token).ToHashSet();

        Assert.True(drawn.IsSubsetOf(inside), $"{drawn.Except(inside).Count()} tokens are outside of the {inside.Count}");
        Assert.True(drawn.Count > 0.8 * inside.Count, $"only {drawn.Count} of {inside.Count} were ever drawn");
    }

    [Fact]
    public void Largest_IsTheBeginningOfTheSortedOrder()
    {
        var random = new Random(4);
        var values = Enumerable.Range(0, 3_000).Select(_ => (float)random.Next(400)).ToArray();
        values[17] = float.NegativeInfinity;
        var sorted = Enumerable.Range(0, 3_000).Where(i => i != 17).OrderByDescending(i => values[i]).ThenBy(i => i).ToArray();

        foreach (var k in new[] { 1, 2, 50, 2_999, 5_000 })
            Assert.Equal(sorted.Take(k), TopSelection.Largest(values, k));
    }

    [Fact]
    public void Next_RefusesLogitsThatAreNotNumbers()
    {
        Assert.Throws<InvalidModelException>(() => new Sampler(new(), 3).Next([1, float.NaN, 2], []));
        Assert.Throws<InvalidModelException>(() => new Sampler(new(Temperature: 1), 3).Next([1, float.NaN, 2], []));
    }
}
