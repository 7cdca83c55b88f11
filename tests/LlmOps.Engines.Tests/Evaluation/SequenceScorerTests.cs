using LlmOps.Engines.Evaluation;

namespace LlmOps.Engines.Tests.Evaluation;

public sealed class SequenceScorerTests
{
    [Fact]
    public void Score_SumsTheLogProbabilitiesOfThePart()
    {
        // Token t is followed by t+1 with logit ln 3, by the three others with logit 0: p = 3/6 and 1/6.
        using var model = new Successor(4, 16);

        var scores = new SequenceScorer(model).Score([new([0, 1, 2, 3], 1), new([0, 1, 2, 3], 3), new([0, 1, 1], 1)]);

        Assert.Equal(3 * Math.Log(0.5), scores[0].LogProbability, 1e-6);
        Assert.Equal((3, true), (scores[0].Tokens, scores[0].IsGreedy));
        Assert.Equal(Math.Log(0.5), scores[1].LogProbability, 1e-6);
        Assert.Equal(Math.Log(0.5) + Math.Log(1 / 6.0), scores[2].LogProbability, 1e-6);
        Assert.False(scores[2].IsGreedy);
    }

    [Fact]
    public void Score_KeepsOrderAndValues_WhateverTheBatchSize()
    {
        using var model = new Successor(7, 64);
        var random = new Random(1);
        var requests = Enumerable.Range(0, 50).Select(_ => Enumerable.Range(0, random.Next(2, 60)).Select(_ => random.Next(7)).ToArray())
            .Select(tokens => new ScoreRequest(tokens, random.Next(1, tokens.Length))).ToList();

        var small = new SequenceScorer(model, 1).Score(requests);
        var large = new SequenceScorer(model, 500).Score(requests);

        Assert.Equal(small, large);
        Assert.InRange(model.LargestBatch, 300, 500);
        Assert.Equal(requests.Select(r => r.Tokens.Length - r.ScoredFrom), large.Select(s => s.Tokens));
    }

    [Fact]
    public void Score_ComputesOnce_WhatSeveralRequestsBeginWith()
    {
        using var model = new Successor(7, 64);
        int[] question = [0, 1, 2, 3, 4];
        ScoreRequest[] requests = [.. Enumerable.Range(0, 7).Select(answer => new ScoreRequest([.. question, answer], 5)), new([.. question, 5, 6, 1], 6), new([0, 1, 2], 1), new([6, 5], 1)];

        var together = new SequenceScorer(model).Score(requests);

        // One pass over the longest of those with the same beginning, without its last token, and one over the other; padded to the same length.
        Assert.Equal(2 * 7, model.Computed);
        Assert.Equal(requests.Select(r => new SequenceScorer(model).Score([r])[0]), together);
    }

    [Fact]
    public void Score_DropsContextFromTheLeft_WhenItDoesNotFit()
    {
        using var model = new Successor(4, 3);

        var score = new SequenceScorer(model).Score([new([3, 3, 3, 0, 1, 2], 4)])[0];

        Assert.Equal(2 * Math.Log(0.5), score.LogProbability, 1e-6);
        Assert.Contains("do not fit", Assert.Throws<ArgumentException>(() => new SequenceScorer(model).Score([new([0, 1, 2, 3], 1)])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Score_RefusesRequests_ThatScoreNothingOrTooMuch()
    {
        using var model = new Successor(4, 16);
        var scorer = new SequenceScorer(model);

        Assert.Throws<ArgumentException>(() => scorer.Score([new([1, 2], 0)]));
        Assert.Throws<ArgumentException>(() => scorer.Score([new([1, 2], 2)]));
        Assert.Equal("Token id 4 is outside the model's vocabulary of 4.", Assert.Throws<ArgumentException>(() => scorer.Score([new([1, 4], 1)])).Message);
    }

    [Fact]
    public void Score_Stops_WhenCancelled()
    {
        using var model = new Successor(4, 16);

        Assert.Throws<OperationCanceledException>(() => new SequenceScorer(model).Score([new([0, 1], 1)], ct: new CancellationToken(true)));
    }

    [Fact]
    public void LogProbability_DoesNotOverflow()
    {
        float[] row = [1000, 999, -1000];

        Assert.Equal(-Math.Log(1 + Math.Exp(-1)), SequenceScorer.LogProbability(row, 0, new float[3]), 1e-6);
        Assert.Equal(-1 - Math.Log(1 + Math.Exp(-1)), SequenceScorer.LogProbability(row, 1, new float[3]), 1e-6);
        Assert.Throws<InvalidModelException>(() => SequenceScorer.LogProbability([1, float.NaN], 0, new float[2]));
    }

    /// <summary>A model whose probabilities can be worked out by hand.</summary>
    private sealed class Successor(int vocabulary, int maxLength) : ICausalModel
    {
        public int LargestBatch { get; private set; }

        public int Computed { get; private set; }

        public int VocabularySize => vocabulary;

        public int MaxLength => maxLength;

        public float[][] Logits(IReadOnlyList<int[]> sequences)
        {
            Computed += sequences.Count * sequences.Max(s => s.Length);
            LargestBatch = Math.Max(LargestBatch, sequences.Count * sequences.Max(s => s.Length));
            return [.. sequences.Select(s =>
            {
                Assert.InRange(s.Length, 1, maxLength);
                var logits = new float[s.Length * vocabulary];
                for (var t = 0; t < s.Length; t++)
                    logits[t * vocabulary + (s[t] + 1) % vocabulary] = MathF.Log(3);
                return logits;
            })];
        }

        public void Dispose() { }
    }
}
