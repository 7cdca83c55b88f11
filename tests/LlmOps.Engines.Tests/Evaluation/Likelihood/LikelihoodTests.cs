using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Evaluation.Likelihood;

namespace LlmOps.Engines.Tests.Evaluation.Likelihood;

/// <summary>Cases and values of lm-evaluation-harness's own tests (github.com/EleutherAI/lm-evaluation-harness); each names its file.</summary>
public sealed class LikelihoodTests
{
    // tests/test_utils.py, test_get_rolling_token_windows_v1 to _v6: first, second and last window, and how many there are.
    [Theory]
    [InlineData(34, 10, 1, 4, new[] { 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 }, new[] { 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 }, new[] { 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 }, new[] { 30, 31, 32, 33 })]
    [InlineData(34, 10, 8, 9, new[] { 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, new[] { 10, 11, 12 }, new[] { 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 }, new[] { 31, 32, 33 })]
    [InlineData(34, 10, 10, 25, new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, new[] { 10 }, new[] { 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 }, new[] { 33 })]
    [InlineData(30, 10, 10, 21, new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, new[] { 10 }, new[] { 19, 20, 21, 22, 23, 24, 25, 26, 27, 28 }, new[] { 29 })]
    [InlineData(30, 10, 1, 3, new[] { 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 }, new[] { 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 }, new[] { 19, 20, 21, 22, 23, 24, 25, 26, 27, 28 }, new[] { 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 })]
    [InlineData(9, 2, 1, 5, new[] { 1, 2 }, new[] { 2, 3 }, new[] { 6, 7 }, new[] { 8 })]
    public void Windows_AreTheHarnesss(int tokens, int length, int context, int count, int[] secondInput, int[] secondPredicted, int[] lastInput, int[] lastPredicted)
    {
        var windows = RollingWindows.Of([.. Enumerable.Range(0, tokens)], -100, length, context).ToList();

        Assert.Equal(count, windows.Count);
        Assert.Equal([-100, .. Enumerable.Range(0, length - 1)], windows[0].Input);
        Assert.Equal(Enumerable.Range(0, length), windows[0].Predicted);
        Assert.Equal(secondInput, windows[1].Input);
        Assert.Equal(secondPredicted, windows[1].Predicted);
        Assert.Equal(lastInput, windows[^1].Input);
        Assert.Equal(lastPredicted, windows[^1].Predicted);
        Assert.Equal(Enumerable.Range(0, tokens), windows.SelectMany(w => w.Predicted));
    }

    // tests/test_utils.py, test_get_rolling_token_windows_empty and test_make_disjoint_window.
    [Fact]
    public void Windows_AreMadeDisjoint()
    {
        Assert.Empty(RollingWindows.Of([], -100, 2));
        Assert.Equal([1], new RollingWindow([1, 2, 3, 4, 5], [2, 3, 4, 5, 6]).Context);
        Assert.Equal([1, 2, 3], new RollingWindow([1, 2, 3, 4, 5], [4, 5, 6]).Context);
        Assert.Equal([1, 2, 3, 4, 5], new RollingWindow([1, 2, 3, 4, 5], [6]).Context);
        var request = new RollingWindow([1, 2, 3, 4, 5], [4, 5, 6]).Request();
        Assert.Equal([1, 2, 3, 4, 5, 6], request.Tokens);
        Assert.Equal(3, request.ScoredFrom);
    }

    private static readonly string[] Pieces = ["Question", "Answer", " the", ": C", " C", "at", ":", " "];

    // tests/models/test_encode_pair.py: the toy tokenizer takes the longest piece, else a character.
    private static int[] Encode(string text)
    {
        var ids = new List<int>();
        for (var i = 0; i < text.Length;)
        {
            var piece = Array.FindIndex(Pieces, p => text.AsSpan(i).StartsWith(p, StringComparison.Ordinal));
            ids.Add(piece < 0 ? text[i] : 1000 + piece);
            i += piece < 0 ? 1 : Pieces[piece].Length;
        }
        return [.. ids];
    }

    [Theory]
    [InlineData("Answer:", " C", "Answer:", " C")]
    [InlineData("Answer: ", "C", "Answer:", " C")]
    [InlineData("Question", " the", "Question", " the")]
    [InlineData("Answer:", " Cat", "Answer:", "at")]
    public void Pairs_AreCutAsTheHarnessCutsThem(string context, string continuation, string before, string scored)
    {
        Assert.Equal(Encode("Answer:").Length, Encode("Answer: C").Length);

        var pair = PairEncoding.Of(context, continuation, Encode, 0);

        Assert.Equal(Encode(before), pair.Context);
        Assert.Equal(Encode(scored), pair.Continuation);
    }

    // tests/test_bpb.py, test_template_backend…: the space moves over, so two tokens are scored; an empty pair scores none.
    [Fact]
    public void Pairs_KeepTheirSpacesAndTheirPrefix()
    {
        int[] Characters(string text) => [.. text.Select(c => (int)c)];

        Assert.Equal([' ', 'é'], PairEncoding.Of("context ", "é", Characters, 0).Continuation);
        Assert.Equal([0], PairEncoding.Of("", "ab", Characters, 0).Context);
        Assert.Equal([' ', 'a'], PairEncoding.Of(" ", "a", Characters, 0).Continuation);
        Assert.Equal(['a'], PairEncoding.Of("", "<a", Characters, '<').Continuation);
        Assert.Throws<ArgumentException>(() => PairEncoding.Of("", "", Characters, 0).Request());
    }

    [Fact]
    public void Choices_EachRuleOnItsOwn()
    {
        // −2/4 characters beats −1/1; per byte the 2-byte letter is at −0.5 as well, and the first of equals is picked.
        ChoiceLikelihood[] choices = [new("long", -2.0, false, -2.5), new("é", -1.0, true, -0.1)];

        var first = MultipleChoice.Score(choices, 0);
        var second = MultipleChoice.Score(choices, 1);

        Assert.Equal((1, 0.0, 1.0, 1.0, 1.0, 0.0), (first.Picked, first.Accuracy, first.AccuracyNormalised, first.AccuracyPerByte, first.AccuracyMutualInformation, first.ExactMatch));
        Assert.Equal((1.0, 0.0, 0.0, 0.0, 1.0), (second.Accuracy, second.AccuracyNormalised, second.AccuracyPerByte, second.AccuracyMutualInformation, second.ExactMatch));
        var p = 1 / (1 + Math.Exp(-1));
        Assert.Equal(2 * p * p, first.Brier!.Value, 1e-12);
        Assert.Equal(2 * (1 - p) * (1 - p), second.Brier!.Value, 1e-12);
        Assert.Null(MultipleChoice.Score([new("a", -1, false), new("b", -2, false)], 0).AccuracyMutualInformation);
    }

    [Fact]
    public void Choices_OfEqualLikelihood_TheFirstIsPicked()
    {
        Assert.Equal((0, 1.0), (MultipleChoice.Score([new("a", -1, false), new("b", -1, false)], 0).Picked, MultipleChoice.Score([new("a", -1, false), new("b", -1, false)], 0).Accuracy));
        var both = MultipleChoice.Score([new("a", -3, false), new("b", -1, true), new("c", -2, false)], 1, 2);
        Assert.Equal((1.0, 1.0, null), (both.Accuracy, both.ExactMatch, both.Brier));
        Assert.Throws<ArgumentException>(() => MultipleChoice.Score([new("a", -1, false), new("", -2, false)], 0));
        Assert.Throws<ArgumentException>(() => MultipleChoice.Score([new("a", -1, false), new("b", double.NaN, false)], 0));
        Assert.Throws<ArgumentException>(() => MultipleChoice.Score([new("a", -1, false), new("b", -2, false)], 2));
    }

    // tests/test_api_aggregations.py: brier_score, perplexity, weighted_perplexity, bits_per_byte; tests/test_bpb.py: bpb_corpus.
    [Fact]
    public void Aggregations_AgreeWithTheHarness()
    {
        Assert.Equal(0.0, MultipleChoice.Brier([0.0, 1.0], 1));
        Assert.Equal(2.0, MultipleChoice.Brier([0.0, 1.0], 0));
        Assert.Equal(Math.Exp(1.5), TextLikelihood.Sum([new(-1, 1, 1, 1), new(-2, 1, 1, 1)]).TokenPerplexity, 1e-12);
        Assert.Equal(Math.Exp(6.0 / 4.0), TextLikelihood.Sum([new(-2, 9, 1, 9), new(-4, 9, 3, 9)]).WordPerplexity, 1e-12);
        Assert.Equal(Math.Exp(6.0 / 4.0), TextLikelihood.Sum([new(-2, 9, 9, 1), new(-4, 9, 9, 3)]).BytePerplexity, 1e-12);
        Assert.Equal(1.0, new TextLikelihood(-Math.Log(2), 1, 1, 1).BitsPerByte, 1e-12);
        Assert.Equal(13 / 5.0, TextLikelihood.Sum([new(-Math.Log(2), 1, 1, 1), new(-12 * Math.Log(2), 4, 1, 4)]).BitsPerByte, 1e-12);
        Assert.Equal(1.0, TextLikelihood.Of(" é", -3 * Math.Log(2), 2).BitsPerByte, 1e-12);
    }

    // The windows that the scorer is given fit into the model, and each token is scored once: with a model that looks at one token back, cutting changes nothing.
    [Fact]
    public void Windows_ScoreALongTextInPieces()
    {
        using var model = new OneBack(5, 8);
        int[] text = [.. Enumerable.Range(0, 50).Select(i => i * i % 5)];

        var pieces = new SequenceScorer(model).Score([.. RollingWindows.Of(text, 4, model.MaxLength - 1, 3).Select(w => w.Request())]);

        Assert.Equal(50, pieces.Sum(s => s.Tokens));
        var expected = text.Prepend(4).Zip(text, (before, token) => Math.Log((before + 1) % 5 == token ? 0.5 : 0.125)).Sum();
        Assert.Equal(expected, pieces.Sum(s => s.LogProbability), 1e-4);
    }

    /// <summary>Token t is followed by t+1 with p = 4/8, by each of the four others with 1/8.</summary>
    private sealed class OneBack(int vocabulary, int maxLength) : ICausalModel
    {
        public int VocabularySize => vocabulary;

        public int MaxLength => maxLength;

        public float[][] Logits(IReadOnlyList<int[]> sequences) => [.. sequences.Select(s =>
        {
            Assert.InRange(s.Length, 1, maxLength);
            var logits = new float[s.Length * vocabulary];
            for (var t = 0; t < s.Length; t++)
                logits[t * vocabulary + (s[t] + 1) % vocabulary] = MathF.Log(4);
            return logits;
        })];

        public void Dispose() { }
    }

    // Python: len(re.split(r"\s+", text)).
    [Theory]
    [InlineData("one two  three\nfour", 4)]
    [InlineData(" one ", 3)]
    [InlineData("", 1)]
    public void Words_AreCountedAsTheHarnessDoes(string text, long words) => Assert.Equal(words, TextLikelihood.CountWords(text));
}
