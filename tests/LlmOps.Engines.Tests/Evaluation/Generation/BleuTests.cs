using LlmOps.Engines.Evaluation.Generation;

namespace LlmOps.Engines.Tests.Evaluation.Generation;

/// <summary>
/// The values are those that sacreBLEU publishes: its README ("Using SacreBLEU from Python"), test/test_bleu.py and test/test_sentence_bleu.py of
/// github.com/mjpost/sacrebleu, and metrics/sacrebleu/README.md of github.com/huggingface/evaluate.
/// </summary>
public sealed class BleuTests
{
    private static readonly string[] Answers = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."];
    private static readonly string[][] References =
        [["The dog bit the man.", "The dog had bit the man."], ["It was not unexpected.", "No one was surprised."], ["The man bit him first.", "The man had bitten the dog."]];

    [Fact]
    public void Corpus_PrintsWhatSacreBleuPrints()
    {
        var score = Bleu.Corpus(Answers, References);

        Assert.Equal("BLEU = 48.53 82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)", score.ToString());
        Assert.StartsWith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:", new BleuOptions().Signature(2), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(BleuTokenizer.Mteval13a, BleuSmoothing.Exponential, 48.530827)]
    [InlineData(BleuTokenizer.Mteval13a, BleuSmoothing.None, 48.530827)]
    [InlineData(BleuTokenizer.None, BleuSmoothing.Exponential, 49.1919566)]
    [InlineData(BleuTokenizer.International, BleuSmoothing.Exponential, 43.91623493)]
    public void Corpus_AgreesForEachTokenizer(BleuTokenizer tokenizer, BleuSmoothing smoothing, double score) =>
        Assert.Equal(score, Bleu.Corpus(Answers, References, new() { Tokenizer = tokenizer, Smoothing = smoothing }).Value, 5e-7);

    [Fact]
    public void Corpus_OfEmptyAnswers_IsZero() => Assert.Equal(0, Bleu.Corpus(["", "", ""], References).Value);

    [Fact]
    public void Corpus_AgreesWithTheMetricCardOfEvaluate()
    {
        var score = Bleu.Corpus(["hello there general kenobi", "on our way to ankh morpork"], [["hello there general kenobi", "hello there !"], ["goodbye ankh morpork", "ankh morpork"]]);

        Assert.Equal(39.76353643835252, score.Value, 1e-12);
        Assert.Equal([6, 4, 2, 1], score.Statistics.Counts);
        Assert.Equal([10, 8, 6, 4], score.Statistics.Totals);
        Assert.Equal((10, 7, 1.0), (score.Statistics.HypothesisLength, score.Statistics.ReferenceLength, score.BrevityPenalty));
    }

    [Theory]
    [InlineData("this is a fest", "this is a test", 0.223606797749979)]
    [InlineData("this is a test", "this is a test", 1.0)]
    [InlineData("test", "a test", 0.3678794411714425)]
    [InlineData("a test", "a test", 1.0)]
    [InlineData("a little test", "a test", 0.03218297948685433)]
    public void Sentence_WithAFloorOfAHundredth(string answer, string reference, double score) =>
        Assert.Equal(score, Bleu.Sentence(answer, [reference], new() { Tokenizer = BleuTokenizer.None, Smoothing = BleuSmoothing.Floor, SmoothingValue = 0.01 }).Value / 100, 1e-8);

    [Fact]
    public void Statistics_CountClippedNGrams()
    {
        var options = new BleuOptions { Tokenizer = BleuTokenizer.None, Smoothing = BleuSmoothing.Floor };
        var statistics = Bleu.Statistics("am I am a character sequence", ["I am a symbol string sequence a a"], options);

        Assert.Equal([4, 2, 1, 0], statistics.Counts);
        Assert.Equal([6, 5, 4, 3], statistics.Totals);
        Assert.Equal(0.1555722182, Bleu.Score(statistics, options).Value / 100, 1e-8);
        Assert.Equal(0, Bleu.Score(statistics, options with { SmoothingValue = 0 }).Value);
    }

    [Fact]
    public void Score_FromStatistics() => Assert.Equal(0.8375922397, Bleu.Score(new(11, 11, [9, 7, 5, 3], [10, 8, 6, 4])).Value / 100, 1e-8);

    [Theory]
    [InlineData(new[] { 0, 0, 0, 0 }, new[] { 4, 4, 2, 1 }, 0, 1)]
    [InlineData(new[] { 0, 0, 0, 0 }, new[] { 10, 11, 12, 0 }, 14, 10)]
    [InlineData(new[] { 0, 0, 0, 0 }, new[] { 0, 0, 0, 0 }, 0, 0)]
    [InlineData(new[] { 6, 5, 4, 0 }, new[] { 6, 5, 4, 3 }, 6, 6)]
    public void Score_OfDegenerateStatistics_IsZero(int[] counts, int[] totals, int length, int wanted) =>
        Assert.Equal(0, Bleu.Score(new(length, wanted, counts, totals), new() { Smoothing = BleuSmoothing.Floor, SmoothingValue = 0 }).Value);

    [Theory]
    [InlineData(BleuSmoothing.Exponential, null, BleuTokenizer.Mteval13a, false, 8.493)]
    [InlineData(BleuSmoothing.None, null, BleuTokenizer.Mteval13a, false, 0.0)]
    [InlineData(BleuSmoothing.Floor, null, BleuTokenizer.Mteval13a, false, 4.51688)]
    [InlineData(BleuSmoothing.Floor, 0.5, BleuTokenizer.Mteval13a, false, 10.10)]
    [InlineData(BleuSmoothing.AddK, null, BleuTokenizer.Mteval13a, false, 14.882)]
    [InlineData(BleuSmoothing.AddK, 2.0, BleuTokenizer.Mteval13a, false, 21.389)]
    [InlineData(BleuSmoothing.Exponential, null, BleuTokenizer.None, false, 7.347)]
    [InlineData(BleuSmoothing.Exponential, null, BleuTokenizer.International, false, 8.493)]
    [InlineData(BleuSmoothing.Exponential, null, BleuTokenizer.Characters, false, 40.8759)]
    [InlineData(BleuSmoothing.Exponential, null, BleuTokenizer.Characters, true, 42.0267)]
    public void Sentence_AgreesForEachSmoothing(BleuSmoothing smoothing, double? value, BleuTokenizer tokenizer, bool lowercase, double score) =>
        Assert.Equal(score, Bleu.Sentence("Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;", ["producţia de zahăr brut se exprimă în zahăr alb;"],
            new() { Smoothing = smoothing, SmoothingValue = value, Tokenizer = tokenizer, Lowercase = lowercase }).Value, 1e-3);

    [Theory]
    [InlineData(BleuSmoothing.Exponential)]
    [InlineData(BleuSmoothing.Floor)]
    [InlineData(BleuSmoothing.AddK)]
    public void Sentence_WithoutACommonWord_IsZero(BleuSmoothing smoothing) => Assert.Equal(0, Bleu.Sentence("this is a cat", ["okay thanks"], new() { Smoothing = smoothing }).Value);

    [Fact]
    public void Statistics_AddUp_AndSurviveTheVector()
    {
        var parts = Answers.Select((a, i) => Bleu.Statistics(a, References[i]).ToVector()).ToList();
        var sum = Enumerable.Range(0, 10).Select(k => parts.Sum(p => p[k])).ToArray();

        Assert.Equal(Bleu.Corpus(Answers, References).Value, Bleu.Score(BleuStatistics.FromVector(sum)).Value);
        Assert.Contains("10 numbers", Assert.Throws<ArgumentException>(() => BleuStatistics.FromVector([1])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Statistics_NeedAReference() => Assert.Contains("No reference", Assert.Throws<ArgumentException>(() => Bleu.Statistics("a", [""])).Message, StringComparison.Ordinal);
}
