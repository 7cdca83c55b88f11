using LlmOps.Engines.Evaluation.Contamination;

namespace LlmOps.Engines.Tests.Evaluation.Contamination;

public sealed class ContaminationCheckTests
{
    private static readonly string[] Vocabulary = [.. Enumerable.Range(0, 5000).Select(i => $"w{i * 7919 % 104729}")];

    private static string Words(Random random, int n) => string.Join(' ', Enumerable.Range(0, n).Select(_ => Vocabulary[random.Next(Vocabulary.Length)]));

    private static IEnumerable<ContaminationRow> Rows(params string[] texts) => texts.Select((t, i) => new ContaminationRow(i, t));

    private static ContaminationFindings Check(string[] evaluation, string[] training, ContaminationOptions? options = null) => ContaminationCheck.Run(Rows(evaluation), () => Rows(training), options);

    [Fact]
    public void TheSameWords_AreExact_WhateverTheyLookLike()
    {
        var found = Check(["nothing of it", "What is the CAPITAL of France?  Paris!"], ["other", "what is the capital of france — paris", "What is the capital of France? Paris."]);
        Assert.Equal(new ContaminatedRow(1, 1, ContaminationKind.Exact, 1, 2), Assert.Single(found.Found));
        Assert.Equal((2, 1, 0, 3L), (found.Rows, found.ExactRows, found.NearRows, found.TrainingRows));
    }

    [Fact]
    public void TheBestTrainingRow_IsNamed_AndTheOthersAreCounted()
    {
        const string text = "one two three four five six seven eight nine ten eleven twelve";
        var found = Assert.Single(Check([text], [text + " thirteen", text, text + " fourteen fifteen"]).Found);
        Assert.Equal((1, ContaminationKind.Exact, 3), (found.TrainingRow, found.Kind, found.TrainingRows));
    }

    [Fact]
    public void NearDuplicates_AreFound_AtTheThresholdAndNotBelow()
    {
        var options = new ContaminationOptions { FewestWords = 1000, NgramWords = 1000 };
        // 20 words make 18 shingles. One word more: 18 of 19. The last of 20 replaced: 17 of 19. Two at one end replaced: 16 of 20 = 0.8. Three: 15 of 21.
        var text = string.Join(' ', Enumerable.Range(0, 20).Select(i => $"a{i}"));
        string Replaced(int last) => string.Join(' ', Enumerable.Range(0, 20).Select(i => i < 20 - last ? $"a{i}" : $"b{i}"));
        ContaminatedRow? With(string training) => Check([text], [training], options).Found.SingleOrDefault();
        Assert.Equal((ContaminationKind.Near, 18.0 / 19), (With(text + " more")!.Kind, With(text + " more")!.Similarity));
        Assert.Equal(17.0 / 19, With(Replaced(1))!.Similarity, 1e-12);
        Assert.Equal(0.8, With(Replaced(2))!.Similarity, 1e-12);
        Assert.Null(With(Replaced(3)));
    }

    [Fact]
    public void ARowInsideOfALongerOne_IsContained()
    {
        var random = new Random(3);
        var text = Words(random, 30);
        var book = $"{Words(random, 4000)} {text} {Words(random, 4000)}";
        Assert.Equal(new ContaminatedRow(0, 1, ContaminationKind.Contained, 1, 1), Assert.Single(Check([text, Words(random, 30)], [Words(random, 100), book]).Found));
        // Half of it is not enough: 18 words hold 6 of its 18 n-grams.
        Assert.Empty(Check([text], [$"{Words(random, 50)} {string.Join(' ', text.Split(' ').Take(18))} {Words(random, 50)}"]).Found);
    }

    [Fact]
    public void ShortRows_AreFoundAsWholes_AndLongerOnesInside()
    {
        var found = Check(["the sky is blue", "one two three four five six seven eight", "yes"], ["We know that the sky is blue and the sea too, yes.", "before one two three four five six seven eight after", "yes"]);
        // Four words meet by chance; eight in this order do not.
        Assert.Equal([(1, ContaminationKind.Contained), (2, ContaminationKind.Exact)], found.Found.Select(f => (f.Row, f.Kind)));
        Assert.Equal(2, found.ShortRows);
    }

    [Fact]
    public void APassage_GivesItsRowAway()
    {
        const string question = "Which river flows through the old town of Prague and is crossed there by Charles Bridge?";
        var row = new ContaminationRow(4, question + "\nVltava\nElbe\nDanube\nRhine\nOder\nMain\nInn\nIsar\nSaale\nNeckar", [question]);
        Assert.Equal(4, Assert.Single(ContaminationCheck.Run([row], () => Rows($"Quiz. {question} The Vltava.")).Found).Row);
        Assert.Empty(ContaminationCheck.Run([row with { Passages = null }], () => Rows($"Quiz. {question} The Vltava.")).Found);
    }

    [Fact]
    public void BoilerplateOfTheEvaluation_AccusesNobody()
    {
        const string instruction = "You are a careful assistant who answers the following question in one short and honest sentence";
        string[] Asked(int n) => [.. Enumerable.Range(0, n).Select(i => $"{instruction}: item{i} is what kind of thing{i}")];
        ContaminationFindings With(int n) => ContaminationCheck.Run(Asked(n).Select((t, i) => new ContaminationRow(i, t, [instruction])), () => Rows($"{instruction}: something that is asked nowhere, at some length, to be unlike everything else here"));
        Assert.Empty(With(11).Found);
        Assert.Equal(10, With(10).Found.Count);
    }

    [Fact]
    public void EmptyAndBlankRows_AreCounted_AndLikeNothing()
    {
        var found = Check(["", "  \n", "?!", "...", "text"], ["", " ", "?!", "text"]);
        Assert.Equal((5, 2), (found.Rows, found.BlankRows));
        // Without a word the characters decide.
        Assert.Equal([2, 4], found.Found.Select(f => f.Row));
        Assert.Equal((0, 2L), (Check([], ["a", "b"]).Rows, Check([], ["a", "b"]).TrainingRows));
        Assert.Equal((1, 0L), (Check(["a"], []).Rows, Check(["a"], []).TrainingRows));
    }

    [Fact]
    public void EveryRowWithTheSameText_IsNamed() => Assert.Equal([0, 2], Check(["same text", "other", "Same text."], ["same text"]).Found.Select(f => f.Row));

    [Theory]
    [InlineData(0.8, 0.999)]
    [InlineData(0.9, 0.999)]
    public void Sketch_FindsWhatComparingEverythingFinds(double threshold, double recall)
    {
        // Rows with words replaced at random, so that similarities lie on both sides of the threshold; containment is off.
        var random = new Random(17);
        var evaluation = Enumerable.Range(0, 300).Select(_ => Words(random, random.Next(10, 60)).Split(' ')).ToArray();
        var training = evaluation.Select(words =>
        {
            var changed = words.ToArray();
            for (var i = random.Next(0, 4); i > 0; i--)
                changed[random.Next(changed.Length)] = Vocabulary[random.Next(Vocabulary.Length)];
            return string.Join(' ', changed);
        }).ToArray();
        var options = new ContaminationOptions { Threshold = threshold, Recall = recall, FewestWords = 1000, NgramWords = 1000 };
        var found = ContaminationCheck.Run(evaluation.Select((w, i) => new ContaminationRow(i, string.Join(' ', w))), () => Rows(training), options);
        var truth = evaluation.Select((w, i) => (Row: i, Jaccard: training.Max(t => Jaccard.OfTexts(ContaminationText.Of(string.Join(' ', w)), ContaminationText.Of(t), 3)))).Where(t => t.Jaccard >= threshold).ToList();
        Assert.InRange(truth.Count, 60, 290);
        Assert.Empty(found.Found.Select(f => f.Row).Except(truth.Select(t => t.Row)));
        Assert.True(found.Found.Count >= Math.Floor(recall * truth.Count), $"{found.Found.Count} of {truth.Count}");
        Assert.All(found.Found, f => Assert.Equal(truth.Single(t => t.Row == f.Row).Jaccard, f.Similarity, 1e-12));
    }

    [Fact]
    public void Blocks_ChangeTheMemory_AndNotTheAnswer()
    {
        var random = new Random(23);
        string[] evaluation = [.. Enumerable.Range(0, 200).Select(_ => Words(random, 20))];
        string[] training = [.. evaluation.Where((_, i) => i % 9 == 0).Select(t => t + " more"), .. Enumerable.Range(0, 500).Select(_ => Words(random, 20))];
        var passes = 0;
        ContaminationFindings With(int rows, long characters = long.MaxValue) => ContaminationCheck.Run(Rows(evaluation), () => { passes++; return Rows(training); }, new() { BlockRows = rows, BlockCharacters = characters });
        var whole = With(1000);
        Assert.Equal((1, 23), (passes, whole.Found.Count));
        passes = 0;
        var cut = With(64);
        Assert.Equal(4, passes);
        Assert.Equal(whole.Found, cut.Found);
        Assert.Equal((whole.Rows, whole.TrainingRows), (cut.Rows, cut.TrainingRows));
        Assert.Equal(whole.Found, With(1000, 5000).Found);
    }

    [Fact]
    public void AHundredThousandRows_AreCompared_AndEachLeakIsFound()
    {
        var seed = 29;
        IEnumerable<ContaminationRow> Training()
        {
            var random = new Random(seed);
            for (var i = 0; i < 100_000; i++)
                yield return new(i, Words(random, 20));
        }
        var leaked = Training().Where(r => r.Number % 1000 == 7).ToList();
        var other = new Random(31);
        string[] evaluation = [.. leaked.Select((r, i) => i % 2 == 0 ? r.Text : r.Text + " more"), .. Enumerable.Range(0, 2000).Select(_ => Words(other, 20))];
        var found = ContaminationCheck.Run(Rows(evaluation), Training);
        Assert.Equal((50, 50, 100_000L), (found.ExactRows, found.NearRows, found.TrainingRows));
        Assert.Equal(leaked.Select(r => r.Number), found.Found.Select(f => f.TrainingRow));
    }

    [Fact]
    public void ATextThatIsEverywhere_IsNotComparedForEver()
    {
        var text = string.Join(' ', Enumerable.Range(0, 20).Select(i => $"a{i}"));
        var found = Check([text], [.. Enumerable.Range(0, 1000).Select(i => $"{text} x{i}")]);
        Assert.Equal(100, Assert.Single(found.Found).TrainingRows);
        Assert.Equal(100, found.Candidates);
    }

    [Fact]
    public void Cancelled_ItStops()
    {
        using var source = new CancellationTokenSource();
        IEnumerable<ContaminationRow> Endless()
        {
            for (var i = 0; ; i++)
            {
                if (i == 10_000)
                    source.Cancel();
                yield return new(i, $"row {i}");
            }
        }
        Assert.Throws<OperationCanceledException>(() => ContaminationCheck.Run(Rows("a b c"), Endless, ct: source.Token));
    }

    [Fact]
    public void ImpossibleOptions_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Check(["a"], ["a"], new() { Threshold = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Check(["a"], ["a"], new() { Permutations = 2, Threshold = 0.3 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Check(["a"], ["a"], new() { NgramWords = 4 }));
    }
}
