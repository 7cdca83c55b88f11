using LlmOps.Engines.Evaluation.Generation;

namespace LlmOps.Engines.Tests.Evaluation.Generation;

/// <summary>
/// The values are published: README and test/test_chrf.py of github.com/mjpost/sacrebleu, metrics/chrf/README.md of github.com/huggingface/evaluate.
/// </summary>
public sealed class ChrfTests
{
    private static readonly string[] Cats = ["The relationship between cats and dogs is not exactly friendly.", "a good bookshop is just a genteel black hole that knows how to read."];
    private static readonly string[][] Dogs =
        [["The relationship between dogs and cats is not exactly friendly."], ["A good bookshop is just a genteel Black Hole that knows how to read."]];

    [Fact]
    public void Corpus_AgreesWithTheReadme() => Assert.Equal("59.73", Chrf.Corpus(["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."],
        [["The dog bit the man.", "The dog had bit the man."], ["It was not unexpected.", "No one was surprised."], ["The man bit him first.", "The man had bitten the dog."]])
        .ToString("F2", System.Globalization.CultureInfo.InvariantCulture));

    [Theory]
    [InlineData(0, false, 84.64214891738334)]
    [InlineData(2, false, 82.87263732906315)]
    [InlineData(2, true, 92.12853119829202)]
    public void Corpus_AgreesWithTheMetricCardOfEvaluate(int wordOrder, bool lowercase, double score) =>
        Assert.Equal(score, Chrf.Corpus(Cats, Dogs, new() { WordOrder = wordOrder, Lowercase = lowercase }), 1e-11);

    [Theory]
    [InlineData("Co nás nejvíc trápí, protože lékaři si vybírají, kdo bude žít a kdo zemře.", "Nejvíce smutní jsme z toho, že musíme rozhodovat o tom, kdo bude žít a kdo zemře.", 39.14078509)]
    [InlineData("Nebo prostě nemají vybavení, které by jim pomohlo, uvedli lékaři.", "A někdy nemáme ani potřebný materiál, abychom jim pomohli, popsali lékaři.", 31.22557079)]
    [InlineData("Lapali po dechu, jejich životy skončily dřív, než skutečně začaly.", "Lapali po dechu a pak jejich život skončil - dřív, než skutečně mohl začít, připomněli.", 57.15704367)]
    public void Sentence_Smoothed(string answer, string reference, double score) => Assert.Equal(score, Chrf.Corpus([answer], [[reference]], new() { EpsilonSmoothing = true }), 5e-9);

    [Theory]
    [InlineData("abcdefg", "hijklmnop", 0.0)]
    [InlineData("", "reference", 0.0)]
    [InlineData("aa", "ab", 8.3333)]
    [InlineData("a", "a", 16.6667)]
    [InlineData("a b c", "abc", 50.0)]
    [InlineData(" risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists .",
        "risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists .", 63.361730)]
    [InlineData(" Die    Beziehung zwischen  Obama und Netanjahu ist nicht gerade  freundlich. ", "Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.", 64.1302698)]
    [InlineData("Niemand hat die Absicht, eine Mauer zu errichten", "Niemand hat die Absicht, eine Mauer zu errichten", 100.0)]
    public void Corpus_SmoothedWithBetaThree(string answer, string reference, double score) =>
        Assert.Equal(score, Chrf.Corpus([answer], [[reference]], new() { Beta = 3, EpsilonSmoothing = true }), 1e-4);

    [Theory]
    [InlineData("a", "a", 100.0)]
    [InlineData("", "reference", 0.0)]
    [InlineData("a b c", "abc", 100.0)]
    [InlineData("aa", "ab", 25.0)]
    public void Corpus_WithEffectiveOrder(string answer, string reference, double score) => Assert.Equal(score, Chrf.Corpus([answer], [[reference]], new() { Beta = 3 }), 1e-4);

    [Fact]
    public void Corpus_SumsItsSegments() => Assert.Equal(50.0, Chrf.Corpus(["a", "b"], [["a"], ["c"]], new() { Beta = 3 }), 1e-4);

    [Theory]
    [InlineData("Die Beziehung zwischen Obama und Netanjahu ist nicht gerade freundlich.", "Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.", 67.3481606)]
    [InlineData("risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists .",
        "risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists .", 65.2414427)]
    public void Corpus_WithSpaces(string answer, string reference, double score) => Assert.Equal(score, Chrf.Corpus([answer], [[reference]], new() { Beta = 3, Whitespace = true }), 5e-8);

    [Fact]
    public void Statistics_CountCodePoints()
    {
        var statistics = Chrf.Statistics("a\U0001F600b", ["a\U0001F600c"]);

        Assert.Equal([3, 3, 2, 2, 2, 1, 1, 1, 0], statistics.Take(9));
        Assert.Equal("chrF2", new ChrfOptions().Name);
        Assert.Equal("chrF2++", new ChrfOptions { WordOrder = 2 }.Name);
        Assert.StartsWith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:", new ChrfOptions().Signature(1), StringComparison.Ordinal);
    }
}
