using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Augmentation;

namespace LlmOps.Training.Tests;

public sealed class TextAugmentationTests : IDisposable
{
    private const string Long = "The quick brown fox jumps over the lazy dog while seven other animals of the same wood look on and wonder what the hurry is about";
    private readonly TinyModel tiny = new();

    [Fact]
    public void Apply_IsAFunctionOfSeedEpochAndNumber()
    {
        TextAugmentation augmentation = With(new(TextChange.WordDropout, 0.3), new(TextChange.CharacterNoise, 0.1)) with { Seed = 7 };
        var example = new AnswerExample(Long, "yes");
        string Text(TextAugmentation a, int epoch, int index) => a.Apply(example, epoch, index).Example.PromptText;

        Assert.Equal(Text(augmentation, 2, 5), Text(augmentation with { }, 2, 5));
        Assert.Equal(4, new[] { Text(augmentation, 2, 5), Text(augmentation, 3, 5), Text(augmentation, 2, 6), Text(augmentation with { Seed = 8 }, 2, 5) }.Distinct().Count());
    }

    [Theory]
    [InlineData(TextChange.CharacterNoise)]
    [InlineData(TextChange.WordNoise)]
    [InlineData(TextChange.WordDropout)]
    [InlineData(TextChange.Synonyms)]
    [InlineData(TextChange.Paraphrase)]
    public void Rate_IsTheShareOfWhatIsChanged(TextChange change)
    {
        TextAugmentation augmentation = With(new AugmentationRule(change, 0.2)) with
        {
            Synonyms = Long.ToLowerInvariant().Split(' ').Distinct().ToDictionary(w => w, w => (IReadOnlyList<string>)["x"]), Templates = ["Say: {prompt}"],
        };
        int places = change switch { TextChange.CharacterNoise => Long.Count(char.IsLetter), TextChange.WordNoise => Long.Split(' ').Length - 1, TextChange.Paraphrase => 1, _ => Long.Split(' ').Length };

        int[] changes = [.. Enumerable.Range(0, 1000).Select(i => augmentation.Apply(new AnswerExample(Long, "yes"), 0, i).Record?.Changes[change] ?? 0)];

        // A swap takes two letters or words, so somewhat fewer than a fifth of them begin a change.
        Assert.InRange(changes.Sum() / (1000.0 * places), change is TextChange.CharacterNoise or TextChange.WordNoise ? 0.15 : 0.18, 0.22);
    }

    [Fact]
    public void EachChange_DoesWhatItsNameSays()
    {
        AnswerExample example = new("Large dogs  run far", "a Large answer");
        string Text(TextAugmentation a, int index = 0) => ((AnswerExample)a.Apply(example, 0, index).Example).Prompt;

        Assert.Equal("Big hounds  run far", Text(With(new AugmentationRule(TextChange.Synonyms, 1)) with { Synonyms = AugmentationText.Synonyms(["# of WordNet", "large: big", "dogs\thounds"]) }));
        Assert.Equal("Say: Large dogs  run far!", Text(With(new AugmentationRule(TextChange.Paraphrase, 1)) with { Templates = ["Say: {prompt}!"] }));
        Assert.Equal("dogs Large  far run", Text(With(new AugmentationRule(TextChange.WordNoise, 1))));
        Assert.Equal("far", Text(With(new AugmentationRule(TextChange.WordDropout, 1))));
        Assert.All(Enumerable.Range(0, 50), i => Assert.DoesNotContain(Text(With(new AugmentationRule(TextChange.CharacterNoise, 1)), i), new[] { example.Prompt, "" }));
        var (same, record) = With(new AugmentationRule(TextChange.Synonyms, 1)).Apply(example, 0, 0);
        Assert.Null(record);
        Assert.Same(example, same);
    }

    [Fact]
    public void Answers_StayAsTheyAre()
    {
        TextAugmentation augmentation = With(new AugmentationRule(TextChange.WordDropout, 0.9));
        var talk = (ConversationExample)augmentation.Apply(new ConversationExample([new("system", Long), new("user", Long), new("assistant", Long), new("user", Long)]), 0, 3).Example;

        Assert.Equal([true, false, true, false], talk.Turns.Select(t => t.Content == Long));
        var (answer, record) = augmentation.Apply(new AnswerExample(Long, Long), 0, 3);
        Assert.Equal(Long, ((AnswerExample)answer).Completion);
        Assert.Equal((3, 0), (record!.Example, record.Epoch));
        Assert.True(record.Changes[TextChange.WordDropout] > 10);
    }

    [Theory]
    [InlineData("word-dropout", "is no augmentation")]
    [InlineData("rotate 0.1", "is no augmentation")]
    [InlineData("word-dropout 0", "above 0")]
    [InlineData("word-dropout 1.5", "above 0")]
    [InlineData("word-dropout 0,5", "above 0")]
    public void RuleThatCannotBe_IsRefused(string rule, string reason) => Assert.Contains(reason, Assert.Throws<ArgumentException>(() => AugmentationText.Parse(rule)).Message, StringComparison.Ordinal);

    [Fact]
    public void RuleWithoutWhatItNeeds_IsRefusedBeforeTraining()
    {
        Assert.Throws<ArgumentException>(() => With(new AugmentationRule(TextChange.Synonyms, 0.1)).Validate());
        Assert.Throws<ArgumentException>(() => With(new AugmentationRule(TextChange.Paraphrase, 0.1)).Validate());
        Assert.Throws<ArgumentException>(() => (With(new AugmentationRule(TextChange.Paraphrase, 0.1)) with { Templates = ["no place for it"] }).Validate());
        Assert.Throws<ArgumentException>(() => AugmentationText.Synonyms(["large big"]));
    }

    [Fact]
    public void AugmentedRun_ContinuesBitForBit_CountsWhatItChanged_AndShowsIt()
    {
        var tuning = new SupervisedFineTuning
        {
            Epochs = 5, MaxSteps = 10, BatchSize = 5, Threads = 2, SampleEverySteps = 5, Augmentation = With(new AugmentationRule(TextChange.Paraphrase, 0.5), new(TextChange.CharacterNoise, 0.2)) with { Templates = ["Say: {prompt}"] },
        };
        var samples = new List<TrainingSample>();
        TrainingReport whole = tuning.Run(tiny.Folder, TinyModel.Instructions, [], tiny.At("whole"), tiny.At("whole-work"), new OnStep(s => samples.AddRange(s.Samples)), TestContext.Current.CancellationToken);
        using var cancel = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => tuning.Run(tiny.Folder, TinyModel.Instructions, [], tiny.At("parts"), tiny.At("parts-work"), new OnStep(s => { if (s.Step == 5) cancel.Cancel(); }), cancel.Token));

        TrainingReport resumed = tuning.Run(tiny.Folder, TinyModel.Instructions, [], tiny.At("parts"), tiny.At("parts-work"), null, TestContext.Current.CancellationToken);
        TrainingReport plain = (tuning with { Augmentation = null }).Run(tiny.Folder, TinyModel.Instructions, [], tiny.At("plain"), tiny.At("plain-work"), null, TestContext.Current.CancellationToken);

        Assert.Equal((5, whole.WeightsSha256), (resumed.ResumedFromStep, resumed.WeightsSha256));
        Assert.NotEqual(whole.WeightsSha256, plain.WeightsSha256);
        // 12 examples make 3 steps of an epoch: 10 steps see 3 epochs and 5 examples.
        Assert.InRange(whole.Metrics["augmented_examples"], 20, 41);
        Assert.InRange(whole.Metrics["augmentation/paraphrase"], 10, 31);
        foreach (string name in new[] { "augmented_examples", "augmentation/paraphrase", "augmentation/character-noise" }) Assert.Equal(whole.Metrics[name], resumed.Metrics[name]);
        Assert.DoesNotContain("augmented_examples", plain.Metrics.Keys);
        TrainingSample shown = samples.First(s => s.Title == "augmented example 1");
        Assert.Matches(@"^Example \d+, epoch \d+: .+\nbefore: Define w\d+\.", shown.Text);
    }

    public void Dispose() => tiny.Dispose();

    private static TextAugmentation With(params AugmentationRule[] rules) => new() { Rules = rules };
}
